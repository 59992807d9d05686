"""What watches found, at a real HTTP server and in a feed: signed, tried again, never at a private address."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser  # type: ignore[import-untyped]
import pytest

from channelscribe.catalogue import watches
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.watches import Hit, Watch
from channelscribe.errors import AddressRefused, SourceUnreachable
from channelscribe.notify import webhooks
from channelscribe.notify.atom import atom
from channelscribe.notify.delivery import deliver
from channelscribe.notify.webhooks import post, signed
from channelscribe.settings import Settings
from channelscribe.store import MediaStore
from tests.catalogue.records import Video, published, spoken
from tests.notify.conftest import Sink

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOC = (Path(__file__).parent.parent.parent / "docs" / "notifications.md").read_text(encoding="utf-8")


def verifier() -> Callable[[str, dict[str, str], bytes], bool]:
    """The ten lines of docs/notifications.md."""
    (code,) = re.findall(r"```python\n(.+?)```", DOC, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    found: Callable[[str, dict[str, str], bytes], bool] = names["is_ours"]
    return found


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks."""
    headers = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_documented_verifier_takes_ours_and_no_other(sink: Sink) -> None:
    is_ours = verifier()
    post(sink.url, "key-1", {"title": "Ж"}, SECRET, allow_private=True)
    ((headers, body),) = sink.got
    assert json.loads(body) == {"title": "Ж"} and headers["webhook-id"] == "key-1"
    assert is_ours(SECRET, headers, body)
    assert not is_ours(SECRET, headers, body + b" ")
    assert not is_ours("whsec_" + "A" * 32, headers, body)
    assert not is_ours(SECRET, {**headers, "webhook-id": "key-2"}, body)
    old = signed(SECRET, "key-1", body, datetime.now(UTC).timestamp() - 600)
    assert not is_ours(SECRET, old, body)


def test_private_addresses_are_refused_before_a_byte_is_sent(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AddressRefused) as caught:
        post(sink.url, "key", {}, SECRET)
    assert "notify.allow_private_addresses" in caught.value.remedy
    # The name was public when it was looked at, and is not any more.
    monkeypatch.setattr(webhooks, "check_url", lambda *_, **__: None)
    with pytest.raises(AddressRefused):
        post(sink.url, "key", {}, SECRET)
    assert sink.got == []


@pytest.mark.parametrize("status", [301, 307, 400, 410, 500])
def test_what_is_not_taken_raises_and_no_redirect_is_followed(sink: Sink, status: int) -> None:
    sink.status, sink.location = status, f"{sink.url}/elsewhere"
    with pytest.raises(SourceUnreachable, match=str(status)):
        post(sink.url, "key", {}, SECRET, allow_private=True)
    assert len(sink.got) == 1


def test_nobody_there(sink: Sink) -> None:
    with pytest.raises(SourceUnreachable, match="cannot be reached"):
        post("http://127.0.0.1:9/", "key", {}, SECRET, allow_private=True)


def test_from_publication_to_the_sink_and_the_feed(catalogue: Database, sink: Sink, tmp_path: Path) -> None:
    store = MediaStore(str(tmp_path))
    notify = (sink.url, "slack-webhook/newsroom")
    made = catalogue.run(watches.add, Watch("climate", "climate", notify=notify))
    published(catalogue, spoken("Hello", "The climate"), Video("v1", "<b>One</b>"))
    sink.status = 503
    counts = deliver(catalogue, store, allow_private=True)
    assert (counts.told, counts.failed, counts.given_up) == (1, 1, 0)
    sink.status = 200
    with catalogue.connection() as session:
        watches.execute(session, "UPDATE watch_delivery SET next_try_at = now()")
    events: list[Hit] = []
    blocks: list[tuple[str, str]] = []
    counts = deliver(
        catalogue,
        store,
        allow_private=True,
        events=events.append,
        blocks=lambda hit, name: blocks.append((hit.key, name)),
    )
    assert (counts.told, counts.failed) == (3, 0)
    assert deliver(catalogue, store, allow_private=True, events=events.append).told == 0
    (first, body), (second, again) = sink.got
    assert first["webhook-id"] == second["webhook-id"] and body == again
    assert verifier()(made.secret, second, again)
    told = json.loads(body)
    assert told["watch"] == "climate" and told["video"]["title"] == "<b>One</b>"
    assert [each["start"] for each in told["passages"]] == [3.0]
    assert told["passages"][0]["url"] == "https://www.youtube.com/watch?v=v1&t=3s"
    assert [each.key for each in events] == [first["webhook-id"]] == [key for key, _ in blocks]
    assert blocks[0][1] == "slack-webhook/newsroom"
    (entry,) = feedparser.parse(str(tmp_path / "watches" / "climate.atom")).entries
    assert (entry.title, entry.link) == ("<b>One</b>", told["passages"][0]["url"])
    assert told["type"] in DOC and set(told) == set(json.loads(re.findall(r"```json\n(.+?)```", DOC, re.DOTALL)[0]))


HOSTILE = "]]><script>alert(1)</script> & \x00\x0b\ud800 ' \" <a href=x>"


def test_a_feed_is_whole_whatever_people_wrote() -> None:
    passages = [{"start": 61.5, "speaker": HOSTILE, "text": HOSTILE}]
    now = datetime(2026, 1, 31, 6, tzinfo=UTC)
    url = 'https://example.org/"><x'
    hit = Hit("ab12", "name", HOSTILE, SECRET, "generic", "v1", HOSTILE, url, None, 1, now, passages)
    found = feedparser.parse(atom("name", HOSTILE, [hit, hit]).encode())
    assert not found.bozo, found.bozo_exception
    entry = found.entries[0]
    assert "<script>" in entry.title and entry.id == "urn:channelscribe:hit:ab12"
    assert "<script" not in entry.content[0].value and "1:01" in entry.content[0].value
    assert SECRET not in atom("name", "q", [hit])
    assert feedparser.parse(atom("name", "none yet", [])).feed.title == "none yet"


def test_the_setting_is_documented() -> None:
    assert "notify.allow_private_addresses" in DOC and not Settings().notify.allow_private_addresses
