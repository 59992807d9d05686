"""Watches: what they find and when, the outbox in its order, through failures and kills."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from channelscribe.catalogue import leases, publishing, watches
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.watches import EVENT, FEED, Hit, Watch
from channelscribe.errors import UsageError
from channelscribe.transcript import Transcript
from tests.catalogue.records import OWNER, Video, published, spoken

URL = "https://hooks.example.org/said"


def watch(catalogue: Database, query: str, name: str = "", **more: object) -> Watch:
    return catalogue.run(watches.add, Watch(name, query, **more))  # type: ignore[arg-type]


def found(catalogue: Database, name: str) -> list[tuple[str, list[float]]]:
    """Videos with the seconds, the newest first."""
    hits = catalogue.read(watches.entries, name)
    return [(hit.video, [each["start"] for each in hit.passages]) for hit in hits]


def again(catalogue: Database, video_pk: int, transcript_id: str, transcript: Transcript) -> None:
    catalogue.run(leases.claim, [video_pk], OWNER, 60, only_due=False)
    catalogue.run(publishing.publish, video_pk, OWNER, transcript_id, transcript, {}, {})


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ('climate AND (Ada OR "heat pump")', [2.0, 6.0]),
        ("climate", [2.0, 6.0, 8.0]),
        ("heat pumps", [6.0]),
        ("clima* sea", [8.0]),
        ("climate -Ada -heat", [8.0]),
        ('"pump the heat"', []),
        ("sea AND NOT climate", []),
    ],
)
def test_a_hit_is_told_with_its_second(catalogue: Database, query: str, seconds: list[float]) -> None:
    watch(catalogue, query, "one")
    texts = ("Good morning", "The climate says Ada", "nothing at all", "A climate of heat pumps", "Climate and sea")
    published(catalogue, spoken(*texts), Video("v1"))
    (said,) = found(catalogue, "one") or [("v1", [])]
    assert [int(second) // 2 * 2 for second in said[1]] == seconds


def test_the_second_is_that_of_the_word(catalogue: Database) -> None:
    watch(catalogue, "pumps", "word")
    watch(catalogue, "東京", "pairs")
    published(catalogue, spoken("one two three pumps"), Video("v1"))
    published(catalogue, spoken("nothing", "昨日東京都で", language="ja"), Video("v2"))
    assert found(catalogue, "word") == [("v1", [1.5])]
    assert found(catalogue, "pairs") == [("v2", [2.0])]


def test_source_and_speaker(catalogue: Database) -> None:
    watch(catalogue, "lighthouse", "here", source="Channel One")
    watch(catalogue, "lighthouse", "there", source="https://elsewhere.example/feed")
    watch(catalogue, "lighthouse", "she", speaker="s0")
    watch(catalogue, "lighthouse", "he", speaker="S1")
    published(catalogue, spoken("The lighthouse"), Video("v1"))
    assert [name for name in ("here", "there", "she", "he") if found(catalogue, name)] == ["here", "she"]


@pytest.mark.parametrize("query", ["", "  ", "-lighthouse", "lighthouse OR -keeper", "!?"])
def test_what_would_match_everything_or_nothing_is_refused(catalogue: Database, query: str) -> None:
    with pytest.raises(UsageError, match="almost everything, or nothing"):
        watch(catalogue, query)


def test_names_are_made_from_the_query_and_secrets_stay(catalogue: Database) -> None:
    first = watch(catalogue, 'climate AND (Ada OR "heat pump")')
    assert (first.name, watch(catalogue, 'climate AND (Ada OR "heat pump")').name) == (
        "climate-and-ada-or-heat-pump",
        "climate-and-ada-or-heat-pump-2",
    )
    assert first.secret.startswith("whsec_") and "\n" not in first.secret
    assert watch(catalogue, "sea", first.name).secret == first.secret
    with pytest.raises(UsageError):
        watch(catalogue, "sea", "../x")
    assert catalogue.run(watches.remove, first.name) and not catalogue.run(watches.remove, first.name)


def test_a_new_version_tells_only_what_is_new(catalogue: Database) -> None:
    watch(catalogue, "climate", "one")
    row = published(catalogue, spoken("The climate", "and a climb it", "of Paris"), Video("v1"))
    again(catalogue, row.id, "second", spoken("The climate", "and a climate", "of Paris"))
    assert found(catalogue, "one") == [("v1", [pytest.approx(3.33, abs=0.1)]), ("v1", [1.0])]
    again(catalogue, row.id, "third", spoken("The climate", "and a climate", "of Paris"))
    again(catalogue, row.id, "second", spoken("The climate", "and a climate", "of Paris"))
    assert len(found(catalogue, "one")) == 2


def deliveries(catalogue: Database) -> list[tuple[str, str, int, bool, bool]]:
    query = """SELECT video.video_id, target, watch_delivery.attempts, delivered_at IS NOT NULL, given_up_at IS NOT NULL
        FROM watch_delivery JOIN watch_hit ON watch_hit.id = hit_pk JOIN video ON video.id = video_pk
        ORDER BY hit_pk, target"""
    with catalogue.connection() as session:
        return [tuple(row) for row in execute(session, query)]  # type: ignore[misc]


def pass_time(catalogue: Database, **by: float) -> None:
    with catalogue.connection() as session:
        execute(session, "UPDATE watch_delivery SET next_try_at = next_try_at - :by", by=timedelta(**by))
        execute(session, "UPDATE watch_hit SET created_at = created_at - :by", by=timedelta(**by))


def test_told_in_order_again_after_a_while_and_given_up_after_a_day(catalogue: Database) -> None:
    watch(catalogue, "climate", "one", notify=(URL,))
    for video in ("v1", "v2"):
        published(catalogue, spoken("The climate"), Video(video))
    told: list[tuple[str, str, str]] = []
    works = False

    def tell(hit: Hit, target: str) -> None:
        if target == URL and not works:
            raise OSError("away")
        told.append((hit.video, target, hit.key))

    def rounds() -> int:
        count = 0
        while catalogue_said := watches.deliver_next(catalogue, tell):
            count += len(catalogue_said)
        return count

    assert rounds() == 3  # two feeds, and one try of the webhook: v2 waits behind v1
    assert rounds() == 0  # not at once again
    assert deliveries(catalogue) == [
        ("v1", EVENT, 0, False, False),
        ("v1", FEED, 0, True, False),
        ("v1", URL, 1, False, False),
        ("v2", EVENT, 0, False, False),
        ("v2", FEED, 0, True, False),
        ("v2", URL, 0, False, False),
    ]
    (state,) = catalogue.read(watches.watches)
    assert (state.hits, state.waiting, state.given_up, state.error) == (2, 4, 0, "OSError: away")
    pass_time(catalogue, minutes=1)
    works = True
    assert rounds() == 2
    hooks = [each for each in told if each[1] == URL]
    assert [video for video, _, _ in hooks] == ["v1", "v2"] and len({key for _, _, key in hooks}) == 2
    works = False
    published(catalogue, spoken("The climate"), Video("v3"))
    pass_time(catalogue, days=1, minutes=1)
    (last,) = [each for each in watches.deliver_next(catalogue, tell) if each.target == URL]
    assert last.given_up and catalogue.read(watches.watches)[0].given_up == 1
    pass_time(catalogue, days=1)
    assert not [each for each in watches.deliver_next(catalogue, tell) if each.target == URL]


KILLED = """
import os, sys
from channelscribe.catalogue import watches
from channelscribe.catalogue.connection import Database

def tell(hit, target):
    if sys.argv[2] == "after":
        print(hit.key, target, flush=True)
    os.kill(os.getpid(), 9)

watches.deliver_next(Database(sys.argv[1]), tell)
"""


@pytest.mark.stack
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_it_tells(catalogue: Database, one_database: str, moment: str) -> None:
    """At least once: what was told and not noted is told again, with the same key."""
    watch(catalogue, "climate", "one")
    published(catalogue, spoken("The climate"), Video("v1"))
    killed = subprocess.run([sys.executable, "-c", KILLED, one_database, moment], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    keys: list[str] = []
    while True:  # until the server has noticed that the killed one, and what it had locked, is gone
        ended = watches.deliver_next(catalogue, lambda hit, target: keys.append(f"{hit.key} {target}"))
        assert not [each for each in ended if each.error]
        if keys and not ended:
            break
    assert len(keys) == 1
    assert killed.stdout.split("\n")[0] in ("", keys[0])


def test_nothing_is_told_of_what_was_not_published(catalogue: Database) -> None:
    watch(catalogue, "climate", "one")
    row = published(catalogue, spoken("nothing"), Video("v1"))
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)

    def failing(session: object) -> None:
        publishing.publish(session, row.id, OWNER, "second", spoken("The climate"), {}, {})  # type: ignore[arg-type]
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        catalogue.run(failing)
    assert found(catalogue, "one") == [] and deliveries(catalogue) == []


def test_a_video_that_is_taken_down_is_forgotten(catalogue: Database) -> None:
    watch(catalogue, "climate", "one")
    row = published(catalogue, spoken("The climate"), Video("v1"))
    assert catalogue.run(watches.forget_video, row.id) == ["one"]
    assert found(catalogue, "one") == [] and deliveries(catalogue) == []
