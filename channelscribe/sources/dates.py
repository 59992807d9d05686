"""Dates as feeds have them: RFC 822 with every zone's name, ISO 8601, and months in the languages of the world.

A date that may mean two days is none: no date is better than a wrong one. Needs Babel for months that are not English.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

__all__ = ["parse_date"]

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
_MONTHS += ["october", "november", "december"]
_ENGLISH = {name[:length]: place for place, name in enumerate(_MONTHS, start=1) for length in (3, len(name))}
_ENGLISH["sept"] = 9
# RFC 822's own, and those that mean one offset wherever they are written. Others (IST, CST in China, the military's
# letters, which RFC 2822 found to be used either way) tell no offset: then only the day is known.
_ZONES = {
    **dict.fromkeys(("UT", "UTC", "GMT", "Z", "WET"), 0.0),
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
    "NST": -3.5,
    "NDT": -2.5,
    "BRT": -3,
    "ART": -3,
    "CLT": -4,
    "CET": 1,
    "CEST": 2,
    "MEZ": 1,
    "MESZ": 2,
    "MET": 1,
    "MEST": 2,
    "WEST": 1,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "SAST": 2,
    "TRT": 3,
    "PKT": 5,
    "JST": 9,
    "KST": 9,
    "HKT": 8,
    "SGT": 8,
    "WIB": 7,
    "AWST": 8,
    "ACST": 9.5,
    "AEST": 10,
    "AEDT": 11,
    "ACDT": 10.5,
    "NZST": 12,
    "NZDT": 13,
}
_DAY_FIRST = re.compile(
    r"(?:[^\W\d]+[.,]*\s+|[^\W\d]+,\s*)?(\d{1,2})[.\s,-]+(?:de\s+|d['’]\s*)?"
    r"([^\W\d_]{3,})\.?,?[\s-]+(?:de\s+)?(\d{4}|\d{2})\b(.*)"
)
_MONTH_FIRST = re.compile(r"(?:[^\W\d]+[.,]*\s+)?([^\W\d_]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b(.*)")
_ISO = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ]\s*(.*))?", re.IGNORECASE)
_EAST_ASIAN = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]\s*(.*)")
_TIME = re.compile(
    r"[,\s]*(?:at\s+)?(\d{1,2})[:.h]?(\d{2})(?:[:.]?(\d{2})(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(.*)", re.IGNORECASE
)
_OFFSET = re.compile(r"(?:(?:UTC|GMT|UT)?\s*)([+-])(\d{1,2}):?(\d{2})?(?:\s*\(.*\))?", re.IGNORECASE)
_LATEST = timedelta(days=366)


def parse_date(text: str, language: str | None = None) -> datetime | date | None:
    """A point in time where the text tells one; only its day where no zone is told, or one that may be several.

    `language` (a code such as pl, pl-PL) decides what a month's name means that several languages have. None
    for what is no date, and for those that stand for "unknown" (1970-01-01, year 0, years to come).
    """
    words = " ".join(text[:200].split())
    for pattern, order in ((_ISO, "ymd"), (_DAY_FIRST, "dmy"), (_MONTH_FIRST, "mdy"), (_EAST_ASIAN, "ymd")):
        if found := pattern.fullmatch(words):
            values = dict(zip(order, found.groups(), strict=False))
            return _made(values["y"], values["m"], values["d"], found[4] or "", language)
    return None


def _made(year: str, month: str, day: str, rest: str, language: str | None) -> datetime | date | None:
    number = int(month) if month.isdigit() else _month(month, language)
    full = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
    try:
        made = date(full, number or 0, int(day))
    except ValueError:
        return None
    if not made.year >= 1971 or made > datetime.now(UTC).date() + _LATEST:
        return None
    found = _TIME.fullmatch(rest)
    if not found:
        return made if not rest.strip() else None
    zone = _zone(found[5])
    hour = int(found[1])
    if found[4]:
        hour = hour % 12 + (12 if found[4][0] in "Pp" else 0)
    try:
        time = datetime(made.year, made.month, made.day, tzinfo=UTC) + timedelta(
            hours=hour, minutes=int(found[2]), seconds=int(found[3] or 0)
        )
    except OverflowError:
        return None
    if hour > 24 or int(found[2]) > 59:
        return None
    return made if zone is None else time.replace(tzinfo=zone)


def _zone(words: str) -> timezone | None:
    words = words.strip()
    if found := _OFFSET.fullmatch(words):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        if minutes > 14 * 60:
            return None
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    hours = _ZONES.get(words.upper())
    return None if hours is None else timezone(timedelta(hours=hours))


def _month(name: str, language: str | None) -> int | None:
    """1 to 12; None for a word that is no month, or one here and another there (listopad, lis)."""
    name = name.lower()
    if name in _ENGLISH:
        return _ENGLISH[name]
    meant = _months_of_the_world().get(name, set())
    if len(meant) > 1 and language:
        meant = _months_of((language,)).get(name, set())
    return next(iter(meant)) if len(meant) == 1 else None


@cache
def _months_of_the_world() -> dict[str, set[int]]:
    return _months_of(tuple(_LANGUAGES.split()))


@cache
def _months_of(languages: tuple[str, ...]) -> dict[str, set[int]]:
    from babel import Locale, UnknownLocaleError

    found: dict[str, set[int]] = {}
    for language in languages:
        try:
            names = Locale.parse(language.replace("-", "_")).months
        except (ValueError, UnknownLocaleError):
            continue
        for widths in names.values():
            for width in ("abbreviated", "wide"):
                for number, name in widths[width].items():
                    if len(short := name.rstrip(".").lower()) > 2:
                        found.setdefault(short, set()).add(number)
    return found


_LANGUAGES = (
    "en de fr es it pt nl sv da nb nn fi is pl cs sk sl hr sr sr_Latn bs mk bg ru uk be ro hu tr az el sq et lv lt ga "
    "cy ca eu gl id ms fil sw af vi hi bn ta te mr ar he fa ur th ka hy kk"
)
