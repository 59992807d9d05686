"""The command `voices`: who is heard in the library, and what people say of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from channelscribe.catalogue import voices as records
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.voice_names import Suggestion, suggestions
from channelscribe.errors import UsageError
from channelscribe.retention import Library
from channelscribe.retention.voices import clip_of, cut_clip, forget, hear_again
from channelscribe.settings import Settings
from flows.output import EXIT_DONE, EXIT_SOME_FAILED, duration, person, print_json, say, table, tell
from flows.session import database, run_settings

_TAKES = {
    "show": (1, 1, "voices show VOICE"),
    "name": (2, 2, 'voices name VOICE "Ada Lovelace"'),
    "merge": (2, None, "voices merge VOICE OTHER…"),
    "split": (2, None, "voices split VOICE VIDEO…"),
    "forget": (1, 1, "voices forget VOICE --yes, or voices forget --source NAME --yes"),
}


def run(options: argparse.Namespace) -> int:
    whole_source = options.action == "forget" and options.source and not options.what
    least, most, usage = (0, 0, "") if whole_source else _TAKES.get(options.action, (0, 0, "voices"))
    if not least <= len(options.what) <= (most if most is not None else len(options.what)):
        raise UsageError(f"`voices {options.action}` takes other arguments.", remedy=f"Such as: channelscribe {usage}.")
    settings, _ = run_settings(options)
    writes = options.action in ("name", "merge", "split", "hear") or (options.action == "forget" and options.yes)
    with database(settings, "voices", writes=writes) as catalogue:
        if options.action == "hear":
            return _heard(settings, catalogue, options)
        if options.action == "forget" and not options.what:
            return _all_forgotten(settings, catalogue, options)
        return _listed(settings, catalogue, options) if not options.what else _done(settings, catalogue, options)


def _heard(settings: Settings, catalogue: Database, options: argparse.Namespace) -> int:
    if not settings.sources.voices:
        raise UsageError("sources.voices is off: no voices are kept.", remedy="Set it to true.")
    heard, left = hear_again(Library.of(settings, catalogue), settings.speech, options.source, tell)
    if options.json:
        print_json({"heard": heard, "left": left})
    else:
        for video, why in left.items():
            say(f"{video}: {why}")
        say(f"{heard} heard, {len(left)} left.")
    return EXIT_SOME_FAILED if left else EXIT_DONE


def _all_forgotten(settings: Settings, catalogue: Database, options: argparse.Namespace) -> int:
    """All that is known of who is heard in a source."""
    numbers = [voice.number for voice in catalogue.run(records.listed, options.source)]
    if options.yes and numbers:
        forget(Library.of(settings, catalogue), [str(number) for number in numbers], person())
    if options.json:
        print_json({"voices": numbers, "done": "forget" if options.yes else None})
    elif options.yes:
        say(f"{len(numbers)} voices are forgotten.")
    else:
        tell(f"{len(numbers)} voices; nothing is forgotten yet. The same again with --yes forgets them.")
    return EXIT_DONE


def _listed(settings: Settings, catalogue: Database, options: argparse.Namespace) -> int:
    with catalogue.session() as session:
        known = records.listed(session, options.source)
        found = [voice for voice in known if not (options.unknown and voice.name)][: options.limit]
        unknown = [voice for voice in found if not voice.name]
        names = suggestions(session, unknown, known)
    library = Library.of(settings, catalogue) if options.clips else None
    told = [_told(voice, names.get(voice.number, ()), library, options.clips) for voice in found]
    if options.json:
        print_json({"voices": told})
        return 0
    rows = []
    for each in told:
        hint = " or ".join(f"{one['name']}?" for one in each["suggestions"])
        clip = each["clip"] or {}
        rows.append(
            [
                str(each["voice"]), each["name"] or hint, duration(each["seconds"]), str(each["videos"]),
                " – ".join(dict.fromkeys(day for day in (each["first"], each["last"]) if day)),
                clip.get("file") or clip.get("url") or "",
            ]
        )  # fmt: skip
    table(["voice", "name", "time", "videos", "heard", "listen"], rows)
    if not told:
        tell("No voices. Transcripts from before have none: `channelscribe voices hear` hears them again.")
    return 0


def _told(
    voice: records.Voice, names: Sequence[Suggestion], library: Library | None = None, folder: str | None = None
) -> dict[str, Any]:
    """A voice as `--json` tells of it."""
    first, last = voice.days
    clip = clip_of(voice)
    told: dict[str, Any] = {
        "voice": voice.number,
        "name": voice.name,
        "seconds": round(voice.seconds, 1),
        "videos": voice.videos,
        "first": first and first.isoformat(),
        "last": last and last.isoformat(),
        "clip": clip and clip.to_dict(),
        "suggestions": [{"name": each.name, "why": each.why, "times": each.times} for each in names],
    }
    if clip and library and folder:
        file = cut_clip(library, clip, Path(folder), f"voice-{voice.number}")
        told["clip"]["file"] = str(file) if file else None
    return told


def _done(settings: Settings, catalogue: Database, options: argparse.Namespace) -> int:
    what, who = options.what, person()
    if options.action == "show" or (options.action == "forget" and not options.yes):
        with catalogue.session() as session:
            voice = records.one(session, what[0])
        _show(voice, options)
        if options.action == "forget":
            tell("Nothing is forgotten yet. The same again with --yes forgets this voice: its vectors and its name.")
        return 0
    if options.action == "name":
        number = catalogue.run(records.name, what[0], what[1], who)
        said = f"Voice {number} is {' '.join(what[1].split())}." if what[1].strip() else f"Voice {number} has no name."
    elif options.action == "merge":
        number = catalogue.run(records.merge, what, who)
        said = f"They are voice {number}."
    elif options.action == "split":
        number = catalogue.run(records.split, what[0], what[1:], who)
        said = f"In these videos it is voice {number}."
    else:
        (number,) = forget(Library.of(settings, catalogue), what, who)
        said = f"Voice {number} is forgotten."
    if options.json:
        print_json({"voice": number, "done": options.action})
    else:
        say(said)
    return 0


def _show(voice: records.Voice, options: argparse.Namespace) -> None:
    if options.json:
        heard = [
            {
                "site": each.site,
                "video": each.video,
                "title": each.title,
                "speaker": each.label,
                "seconds": round(each.seconds, 1),
                "published": each.published and each.published.isoformat(),
            }
            for each in voice.members
        ]
        print_json({**_told(voice, ()), "heard": heard})
        return
    say(f"Voice {voice.number}{f': {voice.name}' if voice.name else ''}")
    rows = [[e.video, e.title, str(e.published or ""), e.label, duration(e.seconds)] for e in voice.members]
    table(["video", "title", "day", "speaker", "time"], rows)
