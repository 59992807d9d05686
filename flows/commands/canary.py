"""`channelscribe canary [URL]`: does the source list, and do the first seconds of a video come?"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from channelscribe.errors import ChannelscribeError, UsageError
from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from channelscribe.sources.canary import try_canary
from channelscribe.sources.environment import ytdlp_version
from flows.output import print_json, say, tell


def run(options: argparse.Namespace) -> int:
    given = dict(parse_assignment(text) for text in options.assignments)
    sources = SettingsRegistry(run=given).resolve().sources
    if sources.access:
        tell(f"The Prefect block {sources.access} is for the workers of runs; this uses the settings alone.")
    url = options.url or sources.canary_url
    if not url:
        raise UsageError("There is no canary.", remedy="Give a URL, or set sources.canary_url.")
    version = ytdlp_version()
    try:
        sung = try_canary(url, sources)
    except ChannelscribeError as error:
        if options.json:
            told = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
            print_json({"passed": False, "yt_dlp": version, **told})
        else:
            say(f"fail: {error} [{error.reason}] yt-dlp {version}")
        return 1
    if options.json:
        print_json({"passed": True, "yt_dlp": version, **asdict(sung)})
        return 0
    heard = f"{sung.seconds:.1f} s of sound" if sung.seconds else "sound (its index is at its end)"
    say(
        f"pass: {sung.title}: {heard} in {sung.bytes} bytes, format {sung.format_id} {sung.extension}, yt-dlp {version}"
    )
    for warning in sung.warnings:
        say(f"  {warning}")
    return 0
