"""What a speaker's voice is like: a vector for each speaker of a recording, by the diarizer's own embedder.

Needs the extra `speech`. Leaves nothing behind. A vector is heard in what somebody says alone, and is the mean of many
stretches: two turns of one person differ as much as two people do, their means hardly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.loading import load_diarizer
from channelscribe.speech.registry import OPEN_DIARIZER, SAMPLE, ResolvedModel
from channelscribe.speech.speaker_linking import plain_embedding
from channelscribe.speech.track import Samples, SpeechTrack, as_track

__all__ = ["LEAST_SECONDS", "alone", "embedder_of", "hear"]

LEAST_SECONDS = 4.0
"""Of speech alone, below which a speaker has no vector."""
_PIECE = 3.0  # seconds that the embedder hears at once
_SHORTEST = 1.0  # of a stretch; vectors of less say more of the words than of who says them
_PIECES = 20  # of a speaker, spread over the recording; more do not move the mean

Span = tuple[float, float]


def embedder_of(diarizer: Mapping[str, Any]) -> str:
    """Name and version of the embedder of a diarizer, as its fingerprint tells. Only vectors of one are compared."""
    name = str(diarizer["model"]).rpartition("/")[2]
    shipped = diarizer["name"] in (SAMPLE, OPEN_DIARIZER)
    version = diarizer["revision"] if shipped else (diarizer.get("sha256") or diarizer["revision"])
    return f"{name}/{str(version)[:12]}"


def hear(
    audio: Samples | SpeechTrack, turns: Sequence[Mapping[str, Any]], model: ResolvedModel, options: SpeechOptions
) -> dict[str, Any]:
    """The voices of a diarized recording; `turns` in seconds of the same audio (mono float32 at 16 kHz).

    Returns {"embedder": "ge2e/1", "voices": {label: {"vector": unit vector or None, "seconds": heard alone,
    "spread": mean cosine distance of its stretches from it, or None}}}; None where a speaker says less than
    LEAST_SECONDS alone. Without a diarizer {"embedder": None, "voices": {}}.
    """
    diarizer = load_diarizer(model, options) if options.diarize and turns else None
    fingerprint = model.fingerprint(options)["diarizer"]
    if diarizer is None or fingerprint is None:
        return {"embedder": None, "voices": {}}
    track = as_track(audio)
    with diarizer.lock:
        embedding = plain_embedding(diarizer.engine.model)
        voices = {label: _voice(track, spans, embedding) for label, spans in alone(turns).items()}
    return {"embedder": embedder_of(fingerprint), "voices": voices}


def alone(turns: Sequence[Mapping[str, Any]]) -> dict[str, list[Span]]:
    """For each speaker the stretches, in seconds, in which nobody else speaks."""
    borders = sorted({turn[edge] for turn in turns for edge in ("start", "end")})
    found: dict[str, list[Span]] = {turn["speaker"]: [] for turn in turns}
    begun = sorted(turns, key=lambda turn: turn["start"])
    speaking: list[Mapping[str, Any]] = []
    place = 0
    for start, end in pairwise(borders):
        while place < len(begun) and begun[place]["start"] <= start:
            speaking.append(begun[place])
            place += 1
        speaking = [turn for turn in speaking if turn["end"] > start]
        labels = {turn["speaker"] for turn in speaking}
        if len(labels) == 1:
            spans = found[labels.pop()]
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
    return found


def _voice(track: SpeechTrack, spans: Sequence[Span], embedding: Any) -> dict[str, Any]:
    pieces = _pieces(spans)
    vectors, weights = [], []
    for start, end in pieces:
        vector = _vector(track.read(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)), embedding)
        if vector is not None:
            vectors.append(vector)
            weights.append(end - start)
    seconds = round(float(sum(end - start for start, end in spans)), 3)
    if not vectors or sum(weights) < LEAST_SECONDS:
        return {"vector": None, "seconds": seconds, "spread": None}
    mean = np.average(vectors, axis=0, weights=weights)
    mean /= np.linalg.norm(mean)
    spread = 1 - float(np.average(np.stack(vectors) @ mean, weights=weights))
    return {"vector": [round(float(each), 6) for each in mean], "seconds": seconds, "spread": round(spread, 4)}


def _pieces(spans: Sequence[Span]) -> list[Span]:
    """Stretches of about the same length, `_PIECES` of them at most, from all over the recording."""
    cut = []
    for start, end in spans:
        if end - start < _SHORTEST:
            continue
        count = max(1, round((end - start) / _PIECE))
        step = (end - start) / count
        cut += [(start + n * step, start + (n + 1) * step) for n in range(count)]
    if len(cut) <= _PIECES:
        return cut
    return [cut[round(n * (len(cut) - 1) / (_PIECES - 1))] for n in range(_PIECES)]


def _vector(samples: Samples, embedding: Any) -> NDArray[np.float64] | None:
    import torch

    found = np.asarray(embedding(torch.from_numpy(np.ascontiguousarray(samples))[None, None]), np.float64).reshape(-1)
    length = np.linalg.norm(found)
    return found / length if np.isfinite(length) and length > 0 else None
