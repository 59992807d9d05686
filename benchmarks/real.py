"""Real people through real weights, beside whisperX and faster-whisper: `channelscribe evaluate`, bar by bar.

    make real

Recordings lie in `../shared/real-speech` (or the folder that REAL_SPEECH names), Whisper base as CTranslate2 has it in
`build/real-models/whisper-base` (or below REAL_MODELS); without them it says so and ends. Words are timed by attention,
as there is no aligner without a hub. Runs take some CPU minutes; the page with each error is `build/real.html`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import print_report
from channelscribe.settings.options import Settings
from flows.commands.evaluate import HEADS, evaluated, rows

ROOT = Path(__file__).parents[1]
RECORDINGS = Path(os.environ.get("REAL_SPEECH", ROOT.parent / "shared" / "real-speech"))
WHISPER = Path(os.environ.get("REAL_MODELS", ROOT / "build" / "real-models")) / "whisper-base"
PEERS = ("whisperx", "faster-whisper")


def settings() -> Settings:
    models = {"base-here": {"recognizer": str(WHISPER)}}
    speech = {"model": "base-here", "device": "cpu", "align": "attention", "models": models}
    return Settings.model_validate({"speech": speech})


def figures(answer: dict[str, Any]) -> dict[str, float]:
    """Ours; and word errors beside the better peer's: of all, and of the set and the file where ours are worst."""
    ours = next(each for each in answer["all"] if each["system"] == "channelscribe")
    peers = {each["system"]: each for each in answer["all"] if each["system"] in PEERS}
    found = {each["recording"]: each for each in answer["recordings"] if each["system"] == "channelscribe"}
    return {
        "real.wer": ours["wer"],
        "real.wer_over_better_peer": ours["wer"] / min(each["wer"] for each in peers.values()),
        "real.worst_set_wer_more": _more(answer["sets"], "set"),
        "real.worst_file_wer_more": _more(answer["recordings"], "recording"),
        "real.telephone_wer": found["talk/telephone"]["wer"],
        "real.word_start_median_ms": 1000 * ours["word_start_median"],
        "real.word_start_p90_ms": 1000 * ours["word_start_p90"],
        "real.telephone_der": found["talk/telephone"]["der"],
        "real.telephone_right_speaker": found["talk/telephone"]["right_speaker"],
        "real.meeting_der": found["talk/ami-dev00"]["der"],
        "real.longest_cue_seconds": ours["longest_cue"],
        "real.invented_seconds": ours["invented_seconds"] or 0.0,
        "real.times_real_time_cpu": ours["cpu_factor"],
    }


def _more(measured: list[dict[str, Any]], what: str) -> float:
    """By how much the word error rate is above the better peer's, where that is most."""
    rates: dict[str, dict[str, float]] = {}
    for each in measured:
        if each["wer"] is not None:
            rates.setdefault(each[what], {})[each["system"]] = each["wer"]
    return max(each["channelscribe"] - min(each[peer] for peer in PEERS) for each in rates.values())


GOAL = {
    "real.wer_over_better_peer": "<= 1",
    "real.worst_set_wer_more": "<= 0",
    "real.worst_file_wer_more": "<= 0.02",
    "real.telephone_wer": "<= 0.173",
    "real.word_start_median_ms": "<= 60",
    "real.word_start_p90_ms": "<= 250",
    "real.telephone_der": "<= 0.12",
    "real.telephone_right_speaker": ">= 0.9",
    "real.meeting_der": "<= 0.22",
    "real.longest_cue_seconds": "<= 7",
    "real.invented_seconds": "<= 0",
}


def main() -> None:
    for there, what in ((RECORDINGS, "recordings"), (WHISPER / "model.bin", "weights")):
        if not there.exists():
            print(f"real: no {what} at {there}.")
            sys.exit(0)
    answer, page = evaluated(RECORDINGS, settings(), PEERS)
    out = ROOT / "build" / "real.html"
    out.parent.mkdir(exist_ok=True)
    out.write_text(page, encoding="utf-8")
    print_report("real", HEADS, rows(answer), figures(answer), GOAL)


if __name__ == "__main__":
    main()
