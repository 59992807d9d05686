"""Whether a video is fetched at all, and now: the configured filters, and what listings say of it. Which are the newest
(`filters.newest`) is a question about all of a source, which `catalogue.triage` answers.

Needs nothing but what is known of the video. What is not known never excludes: the video's own page is asked then, and
judged again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Protocol

from channelscribe.errors import ChannelscribeError, FilteredOut, NotYet, VideoUnavailable
from channelscribe.settings.options import FilterOptions
from channelscribe.sources.error_patterns import COOKIES_REMEDY

__all__ = ["NOT_YET", "Facts", "filtered_out", "refuse_filtered", "verdict"]

NOT_YET = {"is_upcoming": "upcoming", "is_live": "live", "post_live": "post_live"}
"""yt-dlp's live_status of what is no finished recording, and our reason."""

_LIVE = ("is_live", "was_live", "post_live", "is_upcoming")


class Facts(Protocol):
    """What is known of a video; None where nobody said. `duration` is in seconds."""

    @property
    def url(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def duration(self) -> float | None: ...
    @property
    def published(self) -> date | None: ...
    @property
    def live_status(self) -> str | None: ...
    @property
    def availability(self) -> str | None: ...
    @property
    def release_at(self) -> datetime | None: ...
    @property
    def tab(self) -> str | None: ...
    @property
    def season(self) -> str | None: ...


def verdict(facts: Facts, filters: FilterOptions, has_account: bool) -> ChannelscribeError | None:
    """Why the video is not to be fetched now: FilteredOut, NotYet, VideoUnavailable; None when it is.

    With an account (`has_account`) a video for members is tried: it may be a member's.
    """
    if (filtered := filtered_out(facts, filters)) is not None:
        return filtered
    if reason := NOT_YET.get(facts.live_status or ""):
        known = facts.release_at is not None and facts.release_at > datetime.now(UTC)
        return NotYet(
            f"It is not a finished recording yet ({reason.replace('_', ' ')}).",
            reason=reason,
            not_before=facts.release_at if reason == "upcoming" and known else None,
        )
    if facts.availability in ("subscriber_only", "premium_only") and not has_account:
        return VideoUnavailable(
            "The listing says that it is for members.", reason="members_only", remedy=COOKIES_REMEDY
        )
    return None


def filtered_out(facts: Facts, filters: FilterOptions) -> FilteredOut | None:
    """The first rule of the filters that says no, as an error that names it."""
    for reason, rule in _broken_rules(facts, filters):
        return FilteredOut(f"Left out by {rule}.", reason=reason, remedy=f"Change {rule.partition(' ')[0]}.")
    return None


def refuse_filtered(page: Facts, filters: FilterOptions) -> None:
    """Raises FilteredOut for what a video's page tells and its listing did not: dates, lengths, streams.

    Titles, seasons and shorts were judged by the listing, which is what people see.
    """
    told = filters.model_copy(update={"title": None, "not_title": None, "season": None, "shorts": True})
    if (filtered := filtered_out(page, told)) is not None:
        raise filtered


def _broken_rules(facts: Facts, filters: FilterOptions) -> Iterator[tuple[str, str]]:
    if filters.title is not None and not re.search(filters.title, facts.title, re.IGNORECASE):
        yield "filter_title", f"filters.title = {filters.title}"
    if filters.not_title is not None and re.search(filters.not_title, facts.title, re.IGNORECASE):
        yield "filter_title", f"filters.not_title = {filters.not_title}"
    yield from _broken_limits(facts, filters)
    # Whoever wants one season does not want what nobody counts to any.
    if filters.season is not None and facts.season != str(filters.season):
        yield "filter_season", f"filters.season = {filters.season}"
    if not filters.live and facts.live_status in _LIVE:
        yield "filter_live", "filters.live = false"
    if not filters.shorts and facts.tab == "shorts":
        yield "filter_shorts", "filters.shorts = false"


def _broken_limits(facts: Facts, filters: FilterOptions) -> Iterator[tuple[str, str]]:
    if facts.duration is not None:
        minutes = facts.duration / 60
        if filters.min_minutes is not None and minutes < filters.min_minutes:
            yield "filter_duration", f"filters.min_minutes = {filters.min_minutes:g}"
        if filters.max_minutes is not None and minutes > filters.max_minutes:
            yield "filter_duration", f"filters.max_minutes = {filters.max_minutes:g}"
    if facts.published is not None:
        if filters.published_from is not None and facts.published < filters.published_from:
            yield "filter_date", f"filters.published_from = {filters.published_from}"
        if filters.published_to is not None and facts.published > filters.published_to:
            yield "filter_date", f"filters.published_to = {filters.published_to}"
