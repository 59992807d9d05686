"""Runs say what they are about and when they began, each flow's."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from flows import summary
from flows.forms import (
    CanaryRequest,
    NameVoicesRequest,
    ProcessRequest,
    RetranscribeRequest,
    SweepRequest,
    SyncRequest,
    TakedownRequest,
)
from flows.summary import called, subject
from tests.flows.test_forms import FLOWS


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("https://www.youtube.com/@city-radio/videos", "youtube.com/@city-radio"),
        ("http://127.0.0.1:8000/feed.xml", "127.0.0.1/feed.xml"),
        ("https://example.org", "example.org"),
        ("https://user:secret@example.org/a?token=secret", "example.org/a"),
    ],
)
def test_syncs(source: str, name: str) -> None:
    assert subject("sync-channel", {"source": source}) == name


@pytest.mark.parametrize(
    ("flow", "request_", "name"),
    [
        ("sync-channel", SyncRequest(source="https://example.org/a", dry_run=True), "example.org/a (dry run)"),
        ("retranscribe", RetranscribeRequest(channel="City Radio", model="small", dry_run=False),
         "retranscribe City Radio made with small"),
        ("retranscribe", RetranscribeRequest(), "retranscribe all channels (dry run)"),
        ("process-text", ProcessRequest(channel="https://a:b@example.org/x?key=secret", dry_run=False),
         "process-text https://example.org/x"),
        ("canary", CanaryRequest(), "canary"),
        ("canary", CanaryRequest(url="https://example.org/v?key=secret"), "canary https://example.org/v"),
        ("sweep", SweepRequest(dry_run=False), "sweep"),
        ("sweep", SweepRequest(repair=True), "sweep and repair (dry run)"),
        ("takedown", TakedownRequest(video="youtube:abc"), "takedown youtube:abc (dry run)"),
        ("name-voices", NameVoicesRequest(channel="City Radio"), "name-voices City Radio"),
    ],
)  # fmt: skip
def test_other_flows(flow: str, request_: Any, name: str) -> None:
    assert subject(flow, request_.model_dump()) == name


def test_batches_of_speech() -> None:
    videos = [{"channel": "City\nRadio"}] * 3
    assert subject("transcribe-audio", {"videos": videos, "audio": []}) == "3 of City Radio"


def test_each_flow_has_its_name_with_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(flow.flow_run_name is called for flow in FLOWS.values())
    request = SyncRequest(source="https://example.org/a")
    monkeypatch.setattr(summary, "flow_run", SimpleNamespace(parameters={"request": request}, flow_name="sync-channel"))
    assert re.fullmatch(r"example\.org/a \d{4}-\d\d-\d\d \d\d:\d\d", called())
