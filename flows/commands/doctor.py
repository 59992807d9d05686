"""`channelscribe doctor`: is everything that a run needs there, each with its remedy.

What it vouches for it has tried: ffmpeg has encoded, the store has kept and deleted, the database has let itself be
changed. Steps that run elsewhere (`role`, `dask.scheduler`, `prefect.gpu_deployment`) are not missed here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import get_args
from urllib.parse import urlsplit

from channelscribe.audio.ffmpeg import ffmpeg_path, try_ffmpeg
from channelscribe.audio.space import likely_bytes
from channelscribe.catalogue import meaning
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.schema import is_ours, look_at, revision_of
from channelscribe.catalogue.stats import due_length
from channelscribe.errors import ChannelscribeError, as_ours
from channelscribe.local_stack import LocalStack, running_addresses
from channelscribe.local_stack.places import Places, places_of
from channelscribe.local_stack.services import LOOPBACK
from channelscribe.preflight import LEAST_BYTES, Step, nearest, steps_here, try_store
from channelscribe.settings import Settings
from channelscribe.settings.options import MeaningOptions
from channelscribe.settings.prefect_profile import prefects_own
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
from channelscribe.speech.hub_check import check_model, is_at_hand
from channelscribe.speech.registry import OPEN_DIARIZER, ResolvedModel, resolve_model
from channelscribe.speech.verify import verify_bundle
from channelscribe.store import MediaStore
from channelscribe.text.embedding import resolve_embedder
from channelscribe.text.models import load_pipeline
from flows.output import print_json, table
from flows.session import asking_prefect, run_settings

ENOUGH_GIGABYTES = 5
SECONDS = 5.0
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
    here = steps_here(settings)
    checks = [check for check, steps in CHECKS.items() if not steps or steps & here]
    findings = [found for check in checks for found in checked(check, settings)]
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
    """A check's findings; what it raises is one too."""
    try:
        return list(check(settings))
    except Exception as error:
        found = as_ours(error)
        return [Finding(check.__name__.replace("_", " "), "missing", found.message, found.remedy)]


def role(settings: Settings) -> Iterator[Finding]:
    here = steps_here(settings)
    elsewhere = [step for step in get_args(Step) if step not in here]
    if elsewhere:
        yield Finding("role", "ok", f"{settings.role}: {', '.join(elsewhere)} elsewhere, not looked for here")


def data_folder(settings: Settings) -> Iterator[Finding]:
    places = places_of(settings.data_dir).create()
    free = shutil.disk_usage(places.data).free / 1e9
    enough = free >= ENOUGH_GIGABYTES
    remedy = "" if enough else "Free some space."
    yield Finding("data folder", "ok" if enough else "note", f"{places.data}, {free:.0f} GB free", remedy)
    yield from _rights(places)


def _rights(places: Places) -> Iterator[Finding]:
    """Whoever may write there decides what runs here, and what a library says."""
    status = places.data.stat()
    if status.st_uid != os.geteuid():
        remedy = f"Run as its owner, or chown -R {os.geteuid()} {places.data}."
        yield Finding("data folder's owner", "note", f"{places.data} is of user {status.st_uid}", remedy)
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        remedy = f"chmod o-w {places.data}"
        yield Finding("data folder's rights", "missing", f"anyone may write to {places.data}", remedy)


def ffmpeg(settings: Settings) -> Iterator[Finding]:
    try_ffmpeg()
    yield Finding("ffmpeg", "ok", f"{ffmpeg_path()}, encodes")


def ytdlp(settings: Settings) -> Iterator[Finding]:
    found, age = ytdlp_version(), ytdlp_age_days()
    detail = found if age is None else f"{found}, {age} days old"
    if is_older(found, LEAST_YTDLP):
        yield Finding(
            "yt-dlp", "missing", f"{detail}: it has known vulnerabilities", f"{UPGRADE} ({LEAST_YTDLP} or newer)."
        )
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
        yield Finding("blocks", "note", "no Prefect server is configured or running", "Set prefect.api_url.")
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


def local_server(settings: Settings) -> Iterator[Finding]:
    if settings.prefect.api_url is None and settings.role == "all":
        yield Finding("Prefect server", "ok", f"the laptop stack's own, in {settings.data_dir}")


def services(settings: Settings) -> Iterator[Finding]:
    """Those that the settings name do answer, and the port of ours is free or ours."""
    if settings.prefect.api_url:
        yield _answering(settings.prefect.api_url)
    if settings.dask.scheduler:
        parts = urlsplit(settings.dask.scheduler)
        yield _listening("Dask scheduler", parts.hostname or "", parts.port or 8786, "dask.scheduler")
    running = running_addresses(settings).prefect_api_url
    if settings.prefect.port and not settings.prefect.api_url and running is None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, settings.prefect.port))
                yield Finding("port", "ok", f"{settings.prefect.port} is free for the Prefect server")
            except OSError as error:
                detail = f"{settings.prefect.port} cannot be had: {error.strerror}"
                yield Finding("port", "missing", detail, "End what listens there, or change prefect.port.")


def _answering(api_url: str) -> Finding:
    own = prefects_own(os.environ)
    said = f" ({own.origin})" if own and own.api_url == api_url else ""
    try:
        with urllib.request.urlopen(f"{api_url.rstrip('/')}/health", timeout=SECONDS):  # noqa: S310 - the operator's own
            return Finding("Prefect server", "ok", f"{api_url}{said}, answers")
    except urllib.error.HTTPError as error:
        if error.code == 401:  # it wants a password, which Prefect's own settings have
            return Finding("Prefect server", "ok", f"{api_url}{said}, answers, and asks who is there")
        if "/workspaces/" in api_url:  # Prefect Cloud, which has no such address
            return Finding("Prefect server", "ok", f"{api_url}{said}, answers")
        told = f"HTTP status {error.code}"
    except (OSError, ValueError) as error:
        told = str(getattr(error, "reason", error))
    return Finding("Prefect server", "missing", f"{api_url}{said}: {told}", "Start it, or correct prefect.api_url.")


def _listening(what: str, host: str, port: int, setting: str) -> Finding:
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        return Finding(what, "missing", f"{host}:{port}: {error}", f"Start it, or correct {setting}.")
    return Finding(what, "ok", f"{host}:{port}, answers")


def database(settings: Settings) -> Iterator[Finding]:
    if settings.database.block:
        return  # its document is looked at with the blocks
    if settings.database.url is not None:
        yield from _looked_at(settings, settings.database.url.get_secret_value(), "by URL")
        return
    with LocalStack(settings, ["database"], command="doctor") as stack:
        stack.wait_ready()
        yield from _looked_at(settings, stack.addresses.database_url or "", "embedded")


def _looked_at(settings: Settings, url: str, kind: str) -> Iterator[Finding]:
    catalogue = Database(url)
    try:
        yield Finding("database", "ok", f"{look_at(catalogue)}, {kind}")
        if revision_of(catalogue) is not None:
            yield from _room(settings, *catalogue.read(due_length))
        if is_ours(catalogue):
            yield _meaning(settings.meaning, catalogue)
    finally:
        catalogue.close()


def _meaning(options: MeaningOptions, catalogue: Database) -> Finding:
    """Search by meaning, which a library goes on without."""
    what = "search by meaning"
    index = catalogue.read(meaning.current_index)
    if index is None and not options.model:
        return Finding(what, "ok", "off: meaning.model is empty")
    if remedy := catalogue.read(meaning.how_to_have_vectors) if index is None else None:
        if catalogue.read(meaning.may_have_vectors):
            remedy = ""
        else:
            return Finding(what, "note", "off: the database has no vectors", remedy)
    name = index.name if index else options.model
    try:
        resolve_embedder(options, name)
    except ChannelscribeError as error:
        return Finding(what, "note", error.message, error.remedy)
    due = len(catalogue.read(meaning.due, index))
    if due:
        return Finding(what, "note", f"{name}, {due} transcripts are not in its index", "`channelscribe embed`")
    if index and options.model not in (None, index.name):
        return Finding(what, "note", f"by {name}, not by {options.model}", "`channelscribe embed` changes over to it.")
    return Finding(what, "ok", f"{name}, all transcripts are in its index")


def _room(settings: Settings, videos: int, seconds: float, _longest: float) -> Iterator[Finding]:
    """The disks against what is due."""
    if not videos:
        return
    media = _store(settings)
    needed = LEAST_BYTES + likely_bytes(seconds, settings.audio)
    folder = nearest(media.folder or places_of(settings.data_dir).data)
    free = shutil.disk_usage(folder).free
    detail = f"{videos} videos are due ({seconds / 3600:.1f} h): about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB free"
    if media.folder is not None and needed > free:
        remedy = "Make room, sync with --limit, or set store.url to a larger place."
        yield Finding("room for what is due", "note", detail, remedy)
    else:
        yield Finding("room for what is due", "ok", detail)


def store(settings: Settings) -> Iterator[Finding]:
    if settings.store.block:
        return
    media = _store(settings)
    try_store(media)
    yield Finding("store", "ok", f"{media}: writes, reads and deletes")


def _store(settings: Settings) -> MediaStore:
    return MediaStore(settings.store.url or str(places_of(settings.data_dir).library), settings.store)


def speech(settings: Settings) -> Iterator[Finding]:
    check_model(settings.speech)
    model = resolve_model(settings.speech)
    where = f"{model.name} on {model.device}, {model.compute_type}"
    if model.bundled:
        detail = f"{where}: the bundled sample, which knows only the sample's voices"
        yield Finding("speech model", "note", detail, "Real speech needs a real model: --set speech.model=small.")
    elif is_at_hand(model.recognizer, model.revision):
        yield Finding("speech model", "ok", where)
    else:
        remedy = "The first run fetches it from the hub, which answers."
        yield Finding("speech model", "note", f"{where}: not on this machine yet", remedy)
    if settings.speech.diarize:
        yield speakers(model)


def speakers(model: ResolvedModel) -> Finding:
    if model.diarizer is None:
        return Finding(
            "speakers", "note", "no diarizer: speakers are not told apart", "Set the model's diarizer to auto."
        )
    if model.diarizer == OPEN_DIARIZER:
        return Finding("speakers", "ok", "the open diarizer; with speech.hub_token pyannote's own, which is gated")
    return Finding("speakers", "ok", "the sample's diarizer" if model.bundled else model.diarizer)


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


CHECKS: dict[Callable[[Settings], Iterator[Finding]], frozenset[Step]] = {
    role: frozenset(),
    data_folder: frozenset(),
    ffmpeg: frozenset(("audio",)),
    ytdlp: frozenset(),
    javascript: frozenset(("download",)),
    ejs: frozenset(("download",)),
    cookies: frozenset(),
    blocks: frozenset(),
    source: frozenset(),
    local_server: frozenset(),
    services: frozenset(),
    database: frozenset(),
    store: frozenset(),
    speech: frozenset(("speech",)),
    sample: frozenset(("speech", "text")),
    text: frozenset(("text",)),
}
"""What is looked at, and for which steps; for none: on every machine."""
