"""Dates as feeds have them; a wrong one is worse than none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from channelscribe.sources.dates import parse_date

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 02 Mar 2026 10:00:00 GMT", TEN),
        ("Mon, 2 Mar 2026 10:00 UT", TEN),
        ("02 Mar 26 05:00:00 EST", TEN),
        ("Monday, 02-Mar-2026 15:30:00 +0530", TEN),
        ("Mon,02 Mar 2026 10:00:00 +0000 (UTC)", TEN),
        ("Mon, 02 Mar 2026 11:00:00 MEZ", TEN),
        ("Mon, 02 Mar 2026 12:00:00 GMT+2", TEN),
        ("2026-03-02T10:00:00Z", TEN),
        ("2026-03-02T11:00:00.123+01:00", TEN),
        ("March 2, 2026 5:00 AM EST", TEN),
        ("lun., 02 mars 2026 11:00:00 +0100", TEN),
        ("Mo, 02 Mär 2026 11:00:00 +0100", TEN),
        ("Пн, 02 мар 2026 13:00:00 +0300", TEN),
        ("2 de marzo de 2026", DAY),
        ("2026年3月2日", DAY),
        ("2026-03-02", DAY),
        ("2026-03-02 23:30:00", DAY),  # of which zone nobody knows
        ("Mon, 02 Mar 2026 10:00:00 IST", DAY),  # India, Israel and Ireland
        ("Mon, 02 Mar 2026 10:00:00 A", DAY),  # the military's, which were used either way
        ("Sun, 01 Mar 2026 24:00:00 GMT", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_dates(text: str, expected: date) -> None:
    assert parse_date(text) == expected
    assert type(parse_date(text)) is type(expected)
    assert parse_date(f"\n {text} ") == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "02/03/2026", "2026-03", "Thu, 31 Nov 2024 10:00:00 GMT", "Mon, 30 Nov -0001 00:00:00 +0000",
     "Thu, 01 Jan 1970 00:00:00 GMT", "0000-00-00 00:00:00", "Mon, 02 Mar 3026 10:00:00 GMT",
     "Sat, 01 Jan 2022 25:00:00 GMT", "2026-13-02", "1" * 500, "6 listopada 2024"],
)  # fmt: skip
def test_no_date_is_better_than_a_wrong_one(text: str) -> None:
    assert parse_date(text) is None


def test_the_language_decides_what_a_month_is() -> None:
    """Listopad is November in Poland and October in Croatia."""
    assert parse_date("6 listopada 2024", "pl-PL") == date(2024, 11, 6)
    assert parse_date("6 listopada 2024", "hr") == date(2024, 10, 6)
    assert parse_date("6 listopada 2024", "no such language") is None


@pytest.mark.parametrize(
    ("name", "hours"), [("PDT", -7), ("NST", -3.5), ("CEST", 2), ("JST", 9), ("ACDT", 10.5), ("+1400", 14)]
)
def test_names_of_zones(name: str, hours: float) -> None:
    found = parse_date(f"Mon, 02 Mar 2026 10:00:00 {name}")
    assert found == datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=hours)))
