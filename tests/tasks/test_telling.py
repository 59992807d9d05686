"""The events of runs: which failure tells what, the outcome of a run, and that the docs name them all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channelscribe.catalogue.watches import Hit
from channelscribe.errors import AccessUnusable, CorruptMedia, SignInRequired, SourceBlocked, VideoUnavailable
from channelscribe.transcript import Transcript
from flows.forms import Failure, ProcessSummary, SyncSummary
from tasks import events, telling
from tasks.records import VideoWork

DOC = (Path(__file__).parent.parent.parent / "docs" / "notifications.md").read_text(encoding="utf-8")
VIDEO = VideoWork(
    pk=1, site="youtube", video_id="abc", url="https://user:secret@example.org/a?token=secret", title="A title",
    channel="One", owner="run",
)  # fmt: skip


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict[str, Any], dict[str, str]]]:
    """Name, resource, payload, labels of each event."""
    found: list[tuple[str, str, dict[str, Any], dict[str, str]]] = []

    def emit(
        name: str,
        resource: str,
        payload: Mapping[str, Any],
        *,
        title: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        events.made(name, resource, payload, title=title, labels=labels)  # it can be made
        found.append((name, resource, dict(payload), dict(labels or {})))

    monkeypatch.setattr(events, "emit", emit)
    return found


Told = list[tuple[str, str, dict[str, Any], dict[str, str]]]


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (CorruptMedia("broken"), ["video.failed"]),
        (VideoUnavailable("private", reason="private"), ["video.failed"]),
        (SourceBlocked("429", reason="rate_limited"), ["video.failed", "source.blocked"]),
        (SignInRequired("age gate"), ["video.failed", "source.needs-operator"]),
        (AccessUnusable("the cookies have expired", reason="cookies"), ["video.failed", "source.needs-operator"]),
        (ValueError("a bug"), ["video.failed"]),
    ],
)
def test_a_failure_tells_what_follows_from_it(told: Told, error: Exception, names: list[str]) -> None:
    telling.failed(VIDEO, error)
    assert [name for name, *_ in told] == names
    assert told[0][1] == "video.youtube.abc" and told[-1][3]["channelscribe.reason"] == told[-1][2]["reason"]
    assert "secret" not in str(told)


@pytest.mark.parametrize(
    ("published", "failed", "stopped", "outcome"),
    [
        (0, 0, None, "done"),
        (20, 0, None, "done"),
        (19, 1, None, "done"),
        (0, 20, None, "failed"),
        (10, 10, None, "failed"),
        (5, 0, "no disk", "stopped"),
    ],
)
def test_the_outcome_of_a_sync(told: Told, published: int, failed: int, stopped: str | None, outcome: str) -> None:
    lost = [
        Failure(video=f"v{n}", title="", reason="private", message="", remedy="", retry_at=None) for n in range(failed)
    ]
    summary = SyncSummary(
        source="https://example.org/feed",
        published=published,
        failed=failed,
        failures=lost * 5,
        stopped=stopped,
        flow_run="x",
    )
    telling.finished("sync", summary.model_dump(mode="json"), 0.5)
    ((name, resource, payload, labels),) = told
    assert (name, resource) == ("sync.finished", "source.https://example.org/feed")
    assert payload["outcome"] == labels["channelscribe.outcome"] == outcome
    assert (payload["published"], payload["failed"]) == (published, failed) and len(payload["failures"]) <= 50


def test_all_events_are_documented(told: Told) -> None:
    telling.published(VIDEO, 1, Transcript("en", 12.5, [], [], {}))
    telling.failed(VIDEO, SourceBlocked("429"))
    telling.of_source("https://user:secret@example.org/feed?key=secret", SignInRequired("who are you"))
    telling.finished("sync", SyncSummary(source="https://example.org", flow_run="x").model_dump(mode="json"), 0.5)
    telling.finished("process-text", ProcessSummary(found=1, read=1, failures=[], flow_run="x").model_dump(), 0.5)
    telling.canary("https://user:secret@example.org/v", None)
    telling.canary("https://user:secret@example.org/v", CorruptMedia("noise"))
    assert "secret" not in str(told)
    rows = dict(re.findall(r"^\| (`channelscribe[^|]+) \| [^|]+ \| ([^|]+) \|", DOC, re.MULTILINE))
    documented = {
        name: fields for names, fields in rows.items() for name in re.findall(r"`channelscribe\.([a-z.-]+)`", names)
    }
    assert {name for name, *_ in told} | {"phrase.said", "retranscribe.finished"} == set(documented)
    for name, _, payload, _ in told:
        if name.startswith("video."):
            assert list(payload) == documented[name].split(", "), name


def test_a_hit_for_people_has_its_links() -> None:
    passages = [{"start": 61.5 + n, "speaker": None if n else "Ada", "text": f"said {n}"} for n in range(7)]
    now = datetime(2026, 1, 31, tzinfo=UTC)
    url = "https://www.youtube.com/watch?v=abc"
    hit = Hit("ab" * 16, "w", "q", "whsec_x", "youtube", "abc", "A title", url, now.date(), 1, now, passages)
    text = telling.text_of(hit)
    assert text.splitlines()[:3] == ["A title (2026-01-31)", "Ada: said 0", f"{url}&t=61s"]
    assert text.endswith("and 2 more")
