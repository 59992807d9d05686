"""`channelscribe doctor`: is everything that a run needs there, each with its remedy."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.errors import ChannelscribeError
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.looking import running_addresses
from channelscribe.local_stack.places import places_of
from channelscribe.settings import Settings
from channelscribe.sources.canary import try_canary
from channelscribe.sources.cookies import checked_cookies
from channelscribe.sources.environment import (
    LEAST_DENO,
    LEAST_YTDLP,
    OLD_DAYS,
    deno_version,
    ejs_versions,
    is_older,
    ytdlp_age_days,
    ytdlp_version,
)
from channelscribe.sources.ytdlp import deno_path
from channelscribe.speech.hub_check import is_at_hand
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.verify import verify_bundle
from channelscribe.store import MediaStore
from channelscribe.text.models import load_pipeline
from flows.output import print_json, table
from flows.session import asking_prefect, run_settings

ENOUGH_GIGABYTES = 5
UPGRADE = "uv pip install -U 'yt-dlp[default]'"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `state` is "ok", "note" (a run goes on without it) or "missing"."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    settings = _with_canary(settings, options.url)
    findings = [found for check in CHECKS for found in checked(check, settings)]
    if options.json:
        print_json({"findings": [asdict(found) for found in findings]})
    else:
        table(
            ["", "what", "found", "what to do"],
            [[found.state, found.what, found.detail, found.remedy] for found in findings],
        )
    return 1 if any(found.state == "missing" for found in findings) else 0


def _with_canary(settings: Settings, url: str | None) -> Settings:
    """The settings with the URL of the command line as the source that is tried."""
    if url is None:
        return settings
    return settings.model_copy(update={"sources": settings.sources.model_copy(update={"canary_url": url})})


def checked(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    """A check's findings; an error of the tree is one too."""
    try:
        return list(check(settings))
    except ChannelscribeError as error:
        name = check.__name__.replace("_", " ")
        return [Finding(name, "missing", error.message, error.remedy)]


def data_folder(settings: Settings) -> Iterator[Finding]:
    places = places_of(settings.data_dir).create()
    free = shutil.disk_usage(places.data).free / 1e9
    enough = free >= ENOUGH_GIGABYTES
    remedy = "" if enough else "Free some space."
    yield Finding("data folder", "ok" if enough else "note", f"{places.data}, {free:.0f} GB free", remedy)


def ffmpeg(settings: Settings) -> Iterator[Finding]:
    yield Finding("ffmpeg", "ok", str(ffmpeg_path()))


def ytdlp(settings: Settings) -> Iterator[Finding]:
    found, age = ytdlp_version(), ytdlp_age_days()
    detail = found if age is None else f"{found}, {age} days old"
    if is_older(found, LEAST_YTDLP):
        yield Finding("yt-dlp", "missing", f"{detail}: it has known holes", f"{UPGRADE} ({LEAST_YTDLP} or newer).")
    elif age is not None and age > OLD_DAYS:
        yield Finding("yt-dlp", "note", detail, f"Sites change often: {UPGRADE}, then channelscribe canary.")
    else:
        yield Finding("yt-dlp", "ok", detail)


def javascript(settings: Settings) -> Iterator[Finding]:
    path, found = deno_path(), deno_version()
    if path is None:
        yield Finding("JavaScript runtime", "note", "none", "YouTube needs one: pip install 'channelscribe[laptop]'.")
    elif found is None:
        yield Finding("JavaScript runtime", "note", f"{path} does not start", "Install deno again.")
    elif is_older(found, LEAST_DENO):
        remedy = f"YouTube needs deno {LEAST_DENO} or newer."
        yield Finding("JavaScript runtime", "note", f"deno {found}, {path}", remedy)
    else:
        yield Finding("JavaScript runtime", "ok", f"deno {found}, {path}")


def ejs(settings: Settings) -> Iterator[Finding]:
    """The scripts that the runtime runs."""
    installed, wanted = ejs_versions()
    if installed is None or (wanted is not None and installed != wanted):
        detail = "none" if installed is None else f"{installed}, but yt-dlp wants {wanted}"
        yield Finding("yt-dlp-ejs", "note", detail, f"YouTube needs it: {UPGRADE}.")
    else:
        yield Finding("yt-dlp-ejs", "ok", installed)


def cookies(settings: Settings) -> Iterator[Finding]:
    found = checked_cookies(settings.sources)
    if found is None:
        return
    end = f", the last until {found.expires:%Y-%m-%d}" if found.expires else ""
    detail = f"{len(found.lines)} for {', '.join(found.domains[:5])}{end}; {found.expired} expired"
    url = settings.sources.canary_url
    if url and not found.name(url):
        yield Finding("cookies", "note", detail, "None of them is for the canary's site.")
    else:
        yield Finding("cookies", "ok", detail)


def blocks(settings: Settings) -> Iterator[Finding]:
    """Those that the settings name: does each one's connection work from here."""
    options = (settings.database.block, settings.store.block, settings.sources.access, settings.speech.block)
    if not any(options):
        return
    url = running_addresses(settings).prefect_api_url
    if url is None:
        yield Finding("blocks", "note", "no Prefect server is configured or runs", "Set prefect.api_url.")
        return
    with asking_prefect(settings, url):
        from deployments.documents import named

        for document in named(settings):
            try:
                document.check()
                yield Finding(f"block {document.title}", "ok", "its connection works")
            except ChannelscribeError as error:
                yield Finding(f"block {document.title}", "missing", error.message, error.remedy)


def source(settings: Settings) -> Iterator[Finding]:
    """Only where a URL was given: nothing leaves this machine otherwise."""
    if settings.sources.canary_url:
        sung = try_canary(settings.sources.canary_url, settings.sources)
        yield Finding("source", "ok", f"{sung.title}: {sung.bytes} bytes of format {sung.format_id} came")


def database(settings: Settings) -> Iterator[Finding]:
    with LocalStack(settings, ["database"], command="doctor") as stack:
        stack.wait_ready()
        kind = "embedded" if "database" in stack.want else "by URL"
        yield Finding("database", "ok", f"PostgreSQL, {kind}, answers")


def store(settings: Settings) -> Iterator[Finding]:
    media = MediaStore(settings.store.url or str(places_of(settings.data_dir).library), settings.store)
    media.put_bytes(b"channelscribe doctor", "doctor/probe.txt", overwrite=True)
    media.delete("doctor/probe.txt")
    yield Finding("store", "ok", f"{media}, can be written")


def speech(settings: Settings) -> Iterator[Finding]:
    if find_spec("whisperx") is None:
        yield Finding("speech engine", "missing", "no WhisperX", "pip install 'channelscribe[speech]'.")
        return
    model = resolve_model(settings.speech)
    where = f"{model.name} on {model.device}, {model.compute_type}"
    if model.bundled:
        detail = f"{where}: the bundled sample, which knows only the sample's voices"
        yield Finding("speech model", "note", detail, "Real speech needs a real model: --set speech.model=small.")
    elif is_at_hand(model.recognizer, model.revision):
        yield Finding("speech model", "ok", where)
    else:
        remedy = "The first run fetches it; without the hub, put a folder's path under speech.models."
        yield Finding("speech model", "note", f"{where}: not on this machine yet", remedy)
    if settings.speech.diarize and model.diarizer is None:
        yield Finding("speakers", "note", "no diarizer: nobody is told apart", "Set speech.hub_token (a gated model).")


def sample(settings: Settings) -> Iterator[Finding]:
    verify_bundle()
    yield Finding("sample models", "ok", "whole; they know only the sample's voices")


def text(settings: Settings) -> Iterator[Finding]:
    for language in settings.text.models:
        pipeline = load_pipeline(language, settings.text)
        what = f"text model ({language})"
        if pipeline.note is None:
            yield Finding(what, "ok", f"{pipeline.name} {pipeline.version}")
        else:
            yield Finding(what, "note", pipeline.note)


CHECKS = (data_folder, ffmpeg, ytdlp, javascript, ejs, cookies, blocks, source, database, store, speech, sample, text)
