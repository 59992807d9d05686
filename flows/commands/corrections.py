"""Commands on what people corrected in transcripts: correct, corrections."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from channelscribe.catalogue import corrections as records
from channelscribe.catalogue.connection import Database
from channelscribe.errors import UsageError
from flows.output import duration, person, print_json, say, table, tell
from flows.session import database, run_settings

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)s?")


def correct(options: argparse.Namespace) -> int:
    what = _what(options)
    settings, _ = run_settings(options)
    with database(settings, "correct", writes=True) as catalogue:
        changes = what(catalogue)
        only_shown = options.everywhere and not options.yes
        made = [] if only_shown else catalogue.run(records.record, changes, person())
    if options.json:
        print_json({"places": [each.to_dict() for each in changes], "corrections": [asdict(each) for each in made]})
        return 0
    for change in changes:
        say(f"{change.title}  {duration(change.start)}  {_said(change)}")
        if change.speaker is None:
            say(f"  {change.text}")
    if not changes:
        say("Nothing to correct: it is not said, or is right already.")
    elif only_shown:
        tell(f"{len(changes)} places; nothing is changed yet. The same again with --yes corrects them.")
    else:
        of = "" if len(made) == 1 else " --together"
        tell(f"{len(made)} corrected; `channelscribe corrections undo {made[0].number}{of}` takes it back.")
    return 0


def _what(options: argparse.Namespace) -> Callable[[Database], list[records.Change]]:
    """What is to be looked for, as a function of the catalogue. Raises UsageError for what makes no sense."""
    video, words = options.video, options.words
    if options.file is not None:
        if words or options.everywhere or options.speaker is not None:
            raise _usage("--import takes a VIDEO and nothing else.")
        return lambda catalogue: _imported(catalogue, video, Path(options.file))
    if options.speaker is not None:
        if len(words) != 1 or "-" not in words[0] or options.everywhere:
            raise _usage("--speaker takes a VIDEO and a span FROM-TO, such as 1:05-1:20.")
        start, _, end = words[0].partition("-")
        span = seconds_of(start), seconds_of(end)
        if span[0] >= span[1]:
            raise _usage(f"{words[0]} ends before it begins.")
        return lambda catalogue: catalogue.run(records.correct_speaker, video, *span, options.speaker)
    if len(words) != 3:
        raise _usage("`correct` takes VIDEO TIME OLD NEW.")
    if options.source and not options.everywhere:
        raise _usage("--source goes with --everywhere.")
    seconds, (old, new) = seconds_of(words[0]), words[1:]
    if options.everywhere:
        beside = video if options.source else None
        return lambda catalogue: catalogue.run(records.everywhere, old, new, beside=beside)
    return lambda catalogue: catalogue.run(records.correct, video, seconds, old, new)


def _usage(message: str) -> UsageError:
    return UsageError(message, remedy='Such as: channelscribe correct VIDEO 1:05 "confu i" "ComfyUI".')


def _imported(catalogue: Database, video: str, file: Path) -> list[records.Change]:
    from channelscribe.catalogue import transcripts
    from channelscribe.export.loading import ENDINGS, load_transcript
    from channelscribe.export.readable import LEFT_OUT

    if file.suffix.lower() not in ENDINGS:
        raise UsageError(f"{file.name} is no transcript.", remedy=f"Known are {', '.join(ENDINGS)}.")
    language = catalogue.run(transcripts.transcript_of, video)[1].language
    return catalogue.run(records.imported, video, load_transcript(file, language), ignoring=LEFT_OUT)


def seconds_of(text: str) -> float:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise _usage(f"{text!r} is no time in a video.")
    return int(found[1] or 0) * 3600 + int(found[2] or 0) * 60 + float(found[3])


def _said(each: records.Change | records.Listed) -> str:
    if each.speaker is not None:
        return f"{duration(each.start)} to {duration(each.end)} is {each.speaker}"
    return "  ".join(filter(None, [f"-{each.seen}", f"+{each.new}" if each.new else ""]))


def corrections(options: argparse.Namespace) -> int:
    if options.action == "undo" and not options.number:
        raise UsageError(
            "Which correction is to be undone?", remedy="`channelscribe corrections list` tells the numbers."
        )
    settings, _ = run_settings(options)
    if options.action == "glossary":
        with database(settings, "corrections") as catalogue:
            pairs = catalogue.run(records.glossary, channel=options.channel)
        if options.json:
            print_json({"rewrite": pairs})
        else:
            # JSON is YAML, too: quoted, whatever was said.
            say("speech:\n  rewrite:" + ("" if pairs else " {}"))
            for heard, written in pairs.items():
                say(f"    {json.dumps(heard, ensure_ascii=False)}: {json.dumps(written, ensure_ascii=False)}")
        return 0
    with database(settings, "corrections", writes=options.action == "undo") as catalogue:
        if options.action == "undo":
            found = catalogue.run(records.undo, options.number, person(), together=options.together)
        else:
            found = catalogue.run(
                records.listed,
                video=options.video,
                channel=options.channel,
                standing="open" if options.open else None,
                undone=options.undone,
            )
            found = [each for each in found if not options.number or each.number in options.number]
    if options.json:
        print_json({"corrections": [asdict(each) for each in found]})
    elif options.action == "undo":
        say(f"{len(found)} undone.")
    else:
        _show(found)
    return 0


def _show(found: Sequence[records.Listed]) -> None:
    heads = ["number", "video", "time", "correction", "standing", "by", "made"]
    rows = [
        [
            str(each.number), each.video, duration(each.start), _said(each),
            f"undone by {each.undone_by}" if each.undone_at else each.standing, each.made_by, str(each.made_at)[:16],
        ]
        for each in found
    ]  # fmt: skip
    table(heads, rows)
