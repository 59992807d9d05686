"""The aligner's dynamic programming against WhisperX's, on the same emissions of the sample channel.

    make bench NAME=alignment

A is `get_trellis`, `backtrack` and `merge_repeats` of `whisperx.alignment`, segment by segment; B is
`channelscribe.speech.forced_alignment.token_spans` over all segments. Both in turn, three times;
medians are shown. Then the whole stage, network and words included: `whisperx.align` against
`channelscribe.speech.align`. Paths and words are compared, not only times.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.report import print_report
from benchmarks.sample_speech import segments_of, speech_of
from channelscribe.sample import world
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.align import align
from channelscribe.speech.forced_alignment import WILDCARD, emissions, spell, token_spans, with_wildcard
from channelscribe.speech.loading import load_aligner
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.track import as_track, cut

OPTIONS = SpeechOptions(model="sample", device="cpu")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def whisperx_paths(heard: list[Any], tokens: list[Any], blank: int) -> list[list[tuple[int, int]]]:
    import torch
    from whisperx.alignment import backtrack, get_trellis, merge_repeats

    paths = []
    for emission, columns in zip(heard, tokens, strict=True):
        scores, listed = torch.from_numpy(emission), columns.tolist()
        path = backtrack(get_trellis(scores, listed, blank), scores, listed, blank)
        paths.append([(each.start, each.end) for each in merge_repeats(path, "x" * len(listed))])
    return paths


def our_paths(heard: list[Any], tokens: list[Any], blank: int) -> list[list[tuple[int, int]]]:
    found = token_spans(heard, tokens, blank)
    return [list(zip(each.starts.tolist(), each.ends.tolist(), strict=True)) if each else [] for each in found]


def main(rounds: int) -> None:
    model = resolve_model(OPTIONS)
    aligner = load_aligner(model, "en", OPTIONS)
    assert aligner is not None
    import whisperx

    network, metadata = aligner.engine
    dictionary = metadata["dictionary"]
    blank = dictionary["<pad>"]
    spoken = [episode for episode in world.episodes() if episode.script.sentences]  # one is music alone
    channel = [(speech_of(episode), segments_of(episode.script)) for episode in spoken]
    heard, tokens = [], []
    for audio, segments in channel:
        clips = [cut(as_track(audio), each["start"], each["end"]) for each in segments]
        for each, emission in zip(segments, emissions(network, metadata["type"], clips, "cpu"), strict=True):
            columns = spell(each["text"], dictionary, "en").tokens
            wild = bool((columns == WILDCARD).any())
            heard.append(with_wildcard(emission, blank) if wild else emission)
            tokens.append(columns % heard[-1].shape[1])

    seconds: dict[str, list[float]] = {"theirs": [], "ours": [], "their stage": [], "our stage": []}
    for _ in range(rounds):
        took, theirs = timed(lambda: whisperx_paths(heard, tokens, blank))
        seconds["theirs"].append(took)
        took, ours = timed(lambda: our_paths(heard, tokens, blank))
        seconds["ours"].append(took)
        took, their_words = timed(
            lambda: [whisperx.align(segments, network, metadata, audio, "cpu") for audio, segments in channel]
        )
        seconds["their stage"].append(took)
        took, our_words = timed(
            lambda: [align(audio, {"segments": each, "language": "en"}, model, OPTIONS) for audio, each in channel]
        )
        seconds["our stage"].append(took)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    same = sum(a == b for a, b in zip(theirs, ours, strict=True)) / len(ours)
    texts = [[word["word"] for word in each["word_segments"]] for each in their_words]
    mine = [[word["text"] for part in each["segments"] for word in part["words"]] for each in our_words]
    speech = float(np.sum([each["end"] - each["start"] for _, segments in channel for each in segments]))
    rows = [
        [name, f"{1000 * median[name]:.1f} ms", f"{1000 * median[name] / speech * 60:.2f} ms a minute of speech"]
        for name in median
    ]
    figures = {
        "alignment.dp_ratio": median["theirs"] / median["ours"],
        "alignment.stage_ratio": median["their stage"] / median["our stage"],
        "alignment.same_paths": same,
        "alignment.same_words": float(texts == mine),
        "alignment.segments": len(ours),
    }
    goal = {"alignment.dp_ratio": ">= 20", "alignment.same_paths": ">= 1", "alignment.same_words": ">= 1"}
    print_report("alignment", ["what", "median", "rate"], rows, figures, goal)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
