"""`channelscribe report [VIDEO]`: how good the sample's transcripts are, or all about one video and its picture."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from channelscribe.catalogue import transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import TranscriptRow, VideoRow
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.evaluation.figures import Measured, against_scripts, of_transcript, real_time_factors, script_of
from channelscribe.evaluation.picture import picture
from channelscribe.sample import world
from channelscribe.sources.identifiers import safe_id
from channelscribe.speech.provenance import STAGES
from channelscribe.speech.quality_gate import FLAGS
from channelscribe.transcript import Transcript
from flows.output import duration, print_json, say, table
from flows.session import database, run_settings

SHOWN = 10  # of the gaps and of the flagged segments
NAMES = {
    "wer": "word error rate",
    "word_start_median_ms": "start of a word, median error",
    "word_start_p90_ms": "start of a word, 90th percentile",
    "der": "diarization error rate of dialogues",
    "coverage": "speech covered by words",
}


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    if options.out and not options.video:
        raise UsageError("--out is for the picture of one video.", remedy="Name a VIDEO.")
    with database(settings, "report") as catalogue:
        if options.video:
            row, version, transcript = catalogue.run(transcripts.transcript_of, options.video, recognized=True)
            found = about(row, version, transcript, Path(options.out or f"{safe_id(row.video_id)}.svg"))
            print_json(found) if options.json else show_video(found)
        else:
            answer = over_sample(list(measured(catalogue)))
            print_json(answer) if options.json else show_sample(answer)
    return 0


def measured(catalogue: Database) -> Iterator[Measured]:
    """The sample's episodes that have a transcript in the library: what was said in them is known."""
    for episode in world.episodes():
        for found in catalogue.run(videos.find_videos, episode.id):
            try:
                row, _, transcript = catalogue.run(transcripts.transcript_of, found.id, recognized=True)
            except UnknownVideo:
                continue
            script = script_of(row.site, row.guid or row.video_id, transcript.duration)
            if script is not None:
                yield Measured(row.guid or row.video_id, script, transcript)


def over_sample(known: list[Measured]) -> dict[str, Any]:
    if not known:
        raise UnknownVideo(
            "No video whose script is known is in this library.",
            remedy="`channelscribe demo` transcribes the sample channel; `channelscribe report VIDEO` tells of others.",
        )
    videos = [
        {"video": each.id, "words": len(each.transcript.words), **against_scripts([each])}
        | {"real_time_factor": real_time_factors([each.transcript])}
        for each in known
    ]
    factors = real_time_factors([each.transcript for each in known])
    return {"videos": videos, **against_scripts(known), "real_time_factor": factors}


def show_sample(answer: dict[str, Any]) -> None:
    heads = ["episode", "words", "word errors", "start median", "start p90", "DER", "coverage", "recognize", "align"]
    rows = [[each["video"], str(each["words"]), *measures(each), *factors(each)] for each in answer["videos"]]
    words = sum(each["words"] for each in answer["videos"])
    table([*heads, "diarize"], [*rows, ["all", str(words), *measures(answer), *factors(answer)]])
    say()
    say("word errors, DER (dialogues, 250 ms left out at borders): against the script. start: error of a word's start.")
    say("coverage: seconds of speech covered by words over seconds of speech found. recognize, align, diarize: seconds")
    say("of audio for each second of work, without loading models; more is faster.")


def measures(found: dict[str, Any]) -> list[str]:
    return [written(name, found[name]) for name in NAMES]


def factors(found: dict[str, Any]) -> list[str]:
    return ["–" if factor is None else f"{factor:.1f} ×" for factor in found["real_time_factor"].values()]


def written(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} ms" if name.endswith("_ms") else f"{value:.1%}"


def about(row: VideoRow, version: TranscriptRow, transcript: Transcript, out: Path) -> dict[str, Any]:
    """All figures of the video; leaves its picture at `out`."""
    try:
        out.write_text(picture(transcript, row.title), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.", remedy="Give another --out.") from error
    script = script_of(row.site, row.guid or row.video_id, transcript.duration)
    against = against_scripts([Measured(row.guid or row.video_id, script, transcript)]) if script else None
    names = {"video": row.video_id, "title": row.title, "url": row.url, "version": version.version}
    return {**names, **of_transcript(transcript), "against_script": against, "picture": str(out)}


def show_video(found: dict[str, Any]) -> None:
    say(found["title"])
    say(f"{found['url']}   version {found['version']}")
    table(["figure", ""], [[name, said] for name, said in figures(found)])
    if found["flags"]:
        say()
        table(["flag", "segments", ""], [[flag, str(n), FLAGS.get(flag, "")] for flag, n in found["flags"].items()])
    if found["speakers"]:
        say()
        rows = [[name, duration(each["seconds"]), str(each["words"])] for name, each in found["speakers"].items()]
        table(["speaker", "speaks", "words"], rows)
    if found["stages"]:
        say()
        table(["stage", "took", "× real time", "device", "memory", "model"], list(stages(found)))
    say(f"\nPicture: {found['picture']}")


def figures(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "language", found["language"] + (", with others" if found["mixed_languages"] else "")
    yield "length", duration(found["seconds"])
    yield "segments, words", f"{found['segments']}, {found['words']}"
    yield "words with interpolated times", written("", found["interpolated"])
    yield "speech found", "–" if found["speech_seconds"] is None else f"{found['speech_seconds']:.1f} s"
    yield NAMES["coverage"], written("", found["coverage"])
    yield "speech without words", places(sorted([*found["gaps"], *found["unheard"]]))
    yield "doubtful segments", places([(start, end) for start, end, _ in found["flagged"]])
    for name, value in (found["against_script"] or {}).items():
        if name != "coverage":
            yield NAMES[name], written(name, value)
    if found["note"]:
        yield "note", found["note"]


def places(stretches: Sequence[Sequence[float]]) -> str:
    listed = [f"{duration(start)}–{duration(end)}" for start, end in stretches[:SHOWN]]
    more = [f"and {len(stretches) - SHOWN} more"] if len(stretches) > SHOWN else []
    return ", ".join(listed + more) or "none"


def stages(found: dict[str, Any]) -> Iterator[list[str]]:
    for name, stage in found["stages"].items():
        model = found["models"].get(STAGES[name]) or {}
        factor = stage.get("real_time_factor")
        memory = f"{stage['peak_rss_bytes'] >> 20} MB"
        if "peak_gpu_bytes" in stage:
            memory += f", GPU {stage['peak_gpu_bytes'] >> 20} MB"
        named = f"{model['name']} ({model.get('revision', '')})" if model.get("name") else "–"
        took = f"{stage['seconds']:.1f} s + {stage['load_seconds']:.1f} s to load"
        yield [name, took, "–" if factor is None else f"{factor:.1f}", stage["device"], memory, named]
