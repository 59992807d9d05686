"""The canary as a step of a run: its answer is an event, `canary.passed` or `canary.failed`."""

from __future__ import annotations

from prefect import task

from channelscribe.errors import ChannelscribeError
from channelscribe.sources.canary import try_canary
from channelscribe.sources.site_key import scope_of
from tasks import telling
from tasks.records import Options
from tasks.resources import source_options
from tasks.site_guard import asking


@task(name="canary", persist_result=False)
def sing(url: str | None, options: Options) -> str | None:
    """What came, in a line; None where there is no canary. Raises what keeps it from coming."""
    sources = source_options(options)
    url = url or sources.canary_url
    if not url:
        return None
    try:
        with asking(scope_of(url), sources):
            sung = try_canary(url, sources)
    except ChannelscribeError as error:
        telling.canary(url, error)
        raise
    telling.canary(url, None)
    return f"{sung.title}: {sung.bytes} bytes of format {sung.format_id} came"
