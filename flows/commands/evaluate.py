"""`channelscribe evaluate FOLDER`: how good transcripts of one's own recordings are, against what is known of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from channelscribe.errors import UsageError, stops_run
from channelscribe.settings.options import Settings
from flows.output import EXIT_FAILED, print_json, say, some_failed, table, tell
from flows.session import assigned, read_settings

HEADS = (
    *("recordings", "system", "WER", "CER", "start", "p90", "DER", "speaker", "coverage", "cue", "pause", "invented"),
    *("× CPU", "× wall"),
)
LEGEND = """\
WER, CER: words and characters that are wrong, as Whisper's normalizer leaves them. start, p90: median and 90th
percentile of the error of a word's start. DER: without a collar, overlaps counted. speaker: words with the right one.
coverage: seconds of speech with words. cue: the longest. pause: the longest that a cue stands over. invented: seconds
of words where nobody speaks. × CPU, × wall: seconds of audio for each second of work, models loaded. –: not measured,
as there is no truth for it."""


def run(options: argparse.Namespace) -> int:
    settings = read_settings(given_settings(options))
    for package, extra in (("jiwer", "evaluate"), ("whisperx", "speech")):
        if find_spec(package) is None:
            raise UsageError(f"`evaluate` needs {package}.", remedy=f"pip install 'channelscribe[{extra}]'")
    against = [name.strip() for name in (options.against or "").split(",") if name.strip()]
    answer, html = evaluated(Path(options.folder), settings, against)
    out = Path(options.out)
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.", remedy="Give another --out.") from error
    if options.json:
        print_json({**answer, "page": str(out)})
    else:
        table(HEADS, rows(answer))
        say()
        say(LEGEND)
        say(f"\nEach error in its place: {out}")
    return some_failed(answer["recordings"], answer["failures"]) if answer["recordings"] else EXIT_FAILED


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    own = {"speech.model": options.model, "speech.language": options.language}
    return assigned(options) | {name: value for name, value in own.items() if value is not None}


def evaluated(folder: Path, settings: Settings, against: Sequence[str]) -> tuple[dict[str, Any], str]:
    """{"recordings": [{"recording", "set", "system", …}], "sets", "all": [{"set", "system", …}], "failures"}, and the
    page; figures as `recordings.figures` names them. One recording that fails never stops the others.
    """
    from channelscribe.evaluation import recordings, systems
    from channelscribe.evaluation.errors_page import page

    found = recordings.recordings(folder)
    ready = systems.systems(settings, against)
    heard: list[tuple[recordings.Recording, dict[str, recordings.Heard]]] = []
    measured: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for number, recording in enumerate(found, 1):
        tell(f"[{number}/{len(found)}] {recording.name}")
        heard.append((recording, {}))
        for name, hear in ready.items():
            try:
                heard[-1][1][name] = each = hear(recording.path)
            except Exception as error:
                if stops_run(error):
                    raise
                failures.append({"recording": recording.name, "system": name, "error": systems.failure(error)})
                tell(f"{recording.name}, {name}: {systems.failure(error)}")
                continue
            about = {"recording": recording.name, "set": recording.group, "system": name}
            measured.append(about | recordings.figures(recording, each))
    by_set = sorted(measured, key=lambda each: (each["set"], each["system"] != systems.OURS, each["system"]))
    answer: dict[str, Any] = {
        "sets": [
            {"set": group, "system": system, **recordings.together(list(each))}
            for (group, system), each in groupby(by_set, key=lambda each: (each["set"], each["system"]))
        ],
        "all": [
            {"set": "all", "system": name, **recordings.together(mine)}
            for name in ready
            if (mine := [each for each in measured if each["system"] == name])
        ],
        "failures": failures,
    }
    answer["recordings"] = [{key: value for key, value in each.items() if key[0] != "_"} for each in measured]
    return rounded(answer), page(HEADS, rows(answer), heard)


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def rows(answer: dict[str, Any]) -> list[list[str]]:
    """A line for each recording, set and system."""
    named = [(each["recording"], each) for each in answer["recordings"]]
    named += (
        [(f"all of {each['set']}", each) for each in answer["sets"]] if len(answer["sets"]) > len(answer["all"]) else []
    )
    named += [("all", each) for each in answer["all"]]
    return [[name, each["system"], *cells(each)] for name, each in named]


def cells(found: dict[str, Any]) -> list[str]:
    def written(name: str, form: str, scale: float = 1.0, unit: str = "") -> str:
        value = found[name]
        return "–" if value is None else f"{value * scale:{form}}{unit}"

    return [
        *(written(name, ".1%") for name in ("wer", "cer")),
        *(written(name, ".0f", 1000, " ms") for name in ("word_start_median", "word_start_p90")),
        *(written(name, ".1%") for name in ("der", "right_speaker", "coverage")),
        *(written(name, ".1f", unit=" s") for name in ("longest_cue", "longest_pause_in_cue", "invented_seconds")),
        *(written(name, ".1f") for name in ("cpu_factor", "wall_factor")),
    ]
