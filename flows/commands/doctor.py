"""`channelscribe doctor`: is everything that a run needs there, each with its remedy."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.bundle import verify_bundle
from channelscribe.errors import ChannelscribeError
from channelscribe.laptop import LaptopStack
from channelscribe.laptop.places import places_of
from channelscribe.settings import Settings
from channelscribe.sites.ytdlp import deno_path
from channelscribe.speech.hub import is_at_hand
from channelscribe.speech.registry import resolve_model
from channelscribe.store import MediaStore
from channelscribe.text.models import load_pipeline
from flows.output import print_json, table
from flows.session import run_settings

ENOUGH_GIGABYTES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `state` is "ok", "note" (a run goes on without it) or "missing"."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    findings = [found for check in CHECKS for found in checked(check, settings)]
    if options.json:
        print_json({"findings": [asdict(found) for found in findings]})
    else:
        table(
            ["", "what", "found", "what to do"],
            [[found.state, found.what, found.detail, found.remedy] for found in findings],
        )
    return 1 if any(found.state == "missing" for found in findings) else 0


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


def javascript(settings: Settings) -> Iterator[Finding]:
    found = deno_path()
    if found is None:
        yield Finding("JavaScript runtime", "note", "none", "YouTube needs one: pip install 'channelscribe[laptop]'.")
    else:
        yield Finding("JavaScript runtime", "ok", found)


def database(settings: Settings) -> Iterator[Finding]:
    with LaptopStack(settings, ["database"], command="doctor") as stack:
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
    for language, name in settings.text.models.items():
        pipeline = load_pipeline(language, settings.text)
        what = f"text model ({language})"
        if pipeline.note is None:
            yield Finding(what, "ok", f"{pipeline.name} {pipeline.version}")
        else:
            yield Finding(what, "note", pipeline.note, f"python -m spacy download {name}")


CHECKS = (data_folder, ffmpeg, javascript, database, store, speech, sample, text)
