"""How often a site may be asked for a video from one outgoing address. Needs and leaves nothing.

YouTube bears about 300 videos an hour from a guest and 2000 from an account (yt-dlp's wiki, Extractors). The budget is
the address's, not a run's: `RateLimit.name` is the same on every machine that names its `egress` the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from channelscribe.settings.options import SourceOptions

__all__ = ["RateLimit", "budget_of", "budgets", "egress_of"]

DEFAULT_EGRESS = "default"
"""Machines that do not name their outgoing address are taken to share one."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One video, and the next one `1 / per_second` seconds later."""

    name: str
    per_second: float


def budget_of(site: str, options: SourceOptions) -> RateLimit | None:
    """The rate for a site's videos from this outgoing address; None where there is no budget."""
    per_hour = options.budgets.get(site, 0)
    if per_hour <= 0:
        return None
    name = site if options.egress is None else f"{site}-{options.egress}"
    return RateLimit(name, per_hour / 3600)


def egress_of(options: SourceOptions) -> str:
    """The name of the outgoing address."""
    return options.egress or DEFAULT_EGRESS


def budgets(options: SourceOptions) -> list[RateLimit]:
    """All rates that the settings ask for."""
    return [limit for site in sorted(options.budgets) if (limit := budget_of(site, options)) is not None]
