"""Runs are called by their channel and the day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.summary import named


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("https://www.youtube.com/@city-radio/videos", "youtube.com/@city-radio 2026-01-31"),
        ("http://127.0.0.1:8000/feed.xml", "127.0.0.1/feed.xml 2026-01-31"),
        ("https://example.org", "example.org 2026-01-31"),
        ("https://user:secret@example.org/a?token=secret", "example.org/a 2026-01-31"),
    ],
)
def test_names(source: str, name: str) -> None:
    assert named(source, datetime(2026, 1, 31, tzinfo=UTC)) == name
