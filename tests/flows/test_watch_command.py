"""`channelscribe watch`, and the watches of git."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channelscribe.catalogue import watches
from channelscribe.catalogue.connection import Database
from channelscribe.errors import InvalidSetting
from channelscribe.settings.options import NotifyOptions, Settings
from deployments.watches import declared_watches, deploy_watches
from tests.catalogue.records import Video, published, spoken
from tests.flows.test_reading_commands import Answer, answer, library

__all__ = ["answer", "library"]

QUERY = "lighthouse AND (keeper OR everywhere)"


def test_added_listed_and_removed(answer: Answer, catalogue: Database, tmp_path: Path) -> None:
    code, out, err = answer("watch", "add", QUERY, "--name", "light", "--notify", "slack-webhook/news")
    assert code == 0, err
    assert "whsec_" not in out  # it signs nothing
    feed = tmp_path / "data" / "library" / "watches" / "light.atom"
    assert str(feed) in out and QUERY in feed.read_text()
    listed = json.loads(answer("watch", "list", "--json")[1])["watches"]
    assert [(each["name"], each["query"], each["hits"]) for each in listed] == [("light", QUERY, 0)]
    assert "secret" not in listed[0]
    assert "whsec_" in answer("watch", "list", "--secrets")[1]
    published(catalogue, spoken("The lighthouse keeper"), Video("v1"))
    code, out, _ = answer("watch", "list")
    assert "3 waiting" in out and code == 0
    code, _, err = answer("watch", "rm", "ligth")
    assert code == 2 and "Did you mean light?" in err
    assert answer("watch", "rm", "light")[0] == 0 and not feed.exists()
    assert answer("watch", "list", "--json")[1] == '{"watches": []}\n'


def test_a_test_shows_the_last_month(answer: Answer, library: Database) -> None:
    with library.connection() as session:
        watches.execute(session, "UPDATE video SET published = current_date - 3 WHERE video_id = 'v1'")
    code, out, _ = answer("watch", "test", QUERY, "--json")
    assert code == 0 and [hit["video"] for hit in json.loads(out)["hits"]] == ["v1"]
    answer("watch", "add", "lighthouse", "--name", "light", "--speaker", "nobody")
    assert json.loads(answer("watch", "test", "light", "--json")[1])["hits"] == []
    assert "**Lighthouse**" in answer("watch", "test", "lighthouse")[1].title()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-lighthouse"], "almost everything, or nothing"),
        (["x", "--notify", "http://127.0.0.1/hook"], "private network"),
        (["x", "--notify", "newsroom"], "neither a URL nor a Prefect block"),
        (["x", "--name", "No Name"], "no name of a watch"),
    ],
)
def test_wrong_usage_names_the_remedy(answer: Answer, catalogue: Database, arguments: list[str], says: str) -> None:
    code, out, err = answer("watch", "add", *(["--"] if arguments[0].startswith("-") else []), *arguments)
    assert code in (1, 2) and out == "" and says in err


def settings_of(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "watches.yaml"
    file.write_text(text)
    return Settings(notify=NotifyOptions(watches=file))


GIT = "watches:\n  - name: light\n    query: lighthouse\n  - {name: other, query: keeper, notify: [slack-webhook/x]}\n"


def test_the_watches_of_git_come_and_go(catalogue: Database, tmp_path: Path) -> None:
    catalogue.run(watches.add, watches.Watch("own", "mine"))
    wanted = declared_watches(settings_of(tmp_path, GIT))
    told = [(each.action, each.name) for each in deploy_watches(catalogue, wanted, rehearsal=True)]
    assert told == [("create", "light"), ("create", "other")] and len(catalogue.read(watches.watches)) == 1
    assert len(deploy_watches(catalogue, wanted, rehearsal=False)) == 2
    secrets = {each.name: each.secret for each in catalogue.read(watches.watches)}
    assert deploy_watches(catalogue, wanted, rehearsal=False) == []
    fewer = declared_watches(settings_of(tmp_path, GIT.replace("query: lighthouse", "query: sea").split("  - {")[0]))
    changes = deploy_watches(catalogue, fewer, rehearsal=False)
    assert [(each.action, each.name, each.detail) for each in changes] == [
        ("update", "light", "query"),
        ("remove", "other", ""),
    ]
    now = {each.name: each for each in catalogue.read(watches.watches)}
    assert sorted(now) == ["light", "own"] and now["light"].secret == secrets["light"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("watches:\n  - query: x\n", "line 2: name"),
        ("watches:\n  - {name: a, query: x}\n  - {name: a, query: y}\n", "line 3: there is another"),
        ("watches:\n  - {name: a, query: x, notify: [nobody]}\n", "neither a URL"),
        ("watches:\n  - {name: a, query: '!!'}\n", "names no word"),
        ("channels: []\n", "no list of watches"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        declared_watches(settings_of(tmp_path, text))


def test_the_list_in_git_is_empty() -> None:
    assert declared_watches(Settings()) == []
