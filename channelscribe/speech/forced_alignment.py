"""Words to times through a CTC network: what it hears, how it spells the text, and the best path through both.

Needs numpy, and torch for a network's emissions; no release of torchaudio can take the path away
(`functional.forced_align` left in 2.9).

The path is WhisperX's, found faster. Many segments go through one loop over the frames, each frame one vector operation
over all their tokens. The rules are those of `whisperx.alignment.get_trellis` and `backtrack` (after Kürzinger et al.,
"CTC-Segmentation of Large Corpora", 2020): a token is entered on one frame and kept on blanks; the numbers are added in
the same order and precision, so the same path wins.

The first layer of wav2vec2-base normalizes each channel over the whole clip (a group norm), so a clip padded to its
neighbour's length would come out different: the convolutions run clip by clip, where nothing is padded, and only the
transformer, which can mask, runs on batches. Both kinds of network (group norm and layer norm) then give what they give
for a clip alone, but for the rounding of sums (test_emissions.py holds it to 1e-4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.languages import is_without_spaces, words_of
from channelscribe.speech.track import Samples

__all__ = [
    "WILDCARD",
    "Spans",
    "Spelling",
    "emissions",
    "narrow",
    "spell",
    "timed_words",
    "token_spans",
    "with_wildcard",
]

Emission = NDArray[np.float32]
"""Log-probabilities, shape (frames, characters)."""
Tokens = NDArray[np.intp]
"""Columns of an emission, shape (tokens,)."""

WILDCARD = -1
"""The token of a character that the aligner does not know: the last column of `with_wildcard`."""

_SHORTEST_SAMPLES = 400  # WhisperX pads to this; wav2vec2's first frame needs it
_CELLS = 8_000_000  # frames x segments x tokens at once: 32 MB of scores, 8 MB of steps


@dataclass(frozen=True)
class Spans:
    """Where each token lies: frames `starts <= i < ends`, and its mean probability there, each of shape (tokens,)."""

    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    scores: NDArray[np.float64]


def emissions(network: Any, kind: str, clips: Sequence[Samples], device: str) -> list[NDArray[np.float32]]:
    """For each clip log-probabilities of shape (frames, characters). `kind`: "huggingface" or "torchaudio".

    Raises what torch raises, for instance when a clip is too short for the network.
    """
    if not clips:
        return []
    import torch

    with torch.inference_mode():
        waveforms = [torch.from_numpy(_long_enough(clip))[None].to(device) for clip in clips]
        if kind == "huggingface":
            logits = _huggingface(network, waveforms)
        elif hasattr(network, "feature_extractor"):
            logits = _torchaudio(network, waveforms)
        else:  # torchaudio wraps networks that want normalized waveforms, and hides their parts
            logits = [network(waveform)[0][0] for waveform in waveforms]
        return [torch.log_softmax(each, dim=-1).cpu().numpy() for each in logits]


def _long_enough(clip: Samples) -> Samples:
    clip = np.ascontiguousarray(clip)
    return np.pad(clip, (0, _SHORTEST_SAMPLES - len(clip))) if len(clip) < _SHORTEST_SAMPLES else clip


def _huggingface(network: Any, waveforms: list[Any]) -> list[Any]:
    import torch

    if len(waveforms) == 1:
        return [network(waveforms[0]).logits[0]]
    base = network.base_model
    features = [base.feature_extractor(waveform).transpose(1, 2)[0] for waveform in waveforms]
    frames = [len(each) for each in features]
    padded, _ = base.feature_projection(torch.nn.utils.rnn.pad_sequence(features, batch_first=True))
    heard = torch.arange(max(frames), device=padded.device)[None] < torch.tensor(frames, device=padded.device)[:, None]
    logits = network.lm_head(base.encoder(padded, attention_mask=heard).last_hidden_state)
    return [logits[i, :count] for i, count in enumerate(frames)]


def _torchaudio(network: Any, waveforms: list[Any]) -> list[Any]:
    import torch

    features = [network.feature_extractor(waveform, None)[0][0] for waveform in waveforms]
    frames = torch.tensor([len(each) for each in features], device=waveforms[0].device)
    encoded = network.encoder(torch.nn.utils.rnn.pad_sequence(features, batch_first=True), frames)
    logits = encoded if network.aux is None else network.aux(encoded)
    return [logits[i, : int(count)] for i, count in enumerate(frames)]


@dataclass(frozen=True)
class Spelling:
    """`tokens` (n,): columns of the emission, or WILDCARD. `words[i]`: a word and the slice of its tokens."""

    tokens: NDArray[np.intp]
    words: list[tuple[str, slice]]


def spell(text: str, dictionary: Mapping[str, int], language: str) -> Spelling:
    """A text with single spaces, lower-cased, character by character; between words "|" where the aligner has it."""
    tokens: list[int] = []
    words: list[tuple[str, slice]] = []
    separator = None if is_without_spaces(language) else dictionary.get("|")
    for word in words_of(text, language):
        if words and separator is not None:
            tokens.append(separator)
        first = len(tokens)
        tokens += [dictionary.get(character.lower(), WILDCARD) for character in word]
        words.append((word, slice(first, len(tokens))))
    return Spelling(np.array(tokens, np.intp), words)


def timed_words(spelling: Spelling, spans: Spans, start: float, seconds_per_frame: float) -> list[dict[str, object]]:
    """{"word", "start", "end", "score"} of every word of which a character is known; the others only {"word"}.

    Times in seconds, `start` being the segment's. WhisperX times wildcards too; a number's digits stand for a
    word that is longer than they are, so its own frames say little and it is left to be interpolated.
    """
    found: list[dict[str, object]] = []
    for word, mine in spelling.words:
        if (spelling.tokens[mine] == WILDCARD).all():
            found.append({"word": word})
            continue
        found.append(
            {
                "word": word,
                "start": round(float(spans.starts[mine][0]) * seconds_per_frame + start, 3),
                "end": round(float(spans.ends[mine][-1]) * seconds_per_frame + start, 3),
                "score": round(float(np.mean([round(float(score), 3) for score in spans.scores[mine]])), 3),
            }
        )
    return found


def with_wildcard(emission: Emission, blank: int) -> Emission:
    """The emission with one column more: in each frame the best that is not blank. Shape (frames, characters + 1)."""
    others = emission.copy()
    others[:, blank] = -np.inf
    return np.concatenate([emission, others.max(axis=1, keepdims=True)], axis=1)


def narrow(emission: Emission, tokens: Tokens, blank: int) -> tuple[Emission, Tokens]:
    """The columns that the tokens need, blank first and the wildcard last, and the tokens in those columns.

    Aligners of languages written in thousands of characters would fill the memory with columns nobody asks for.
    """
    used = np.unique(tokens[tokens != WILDCARD])
    columns = [emission[:, [blank, *used]]]
    if (tokens == WILDCARD).any():
        columns.append(with_wildcard(emission, blank)[:, -1:])
    renumbered = np.where(tokens == WILDCARD, len(used) + 1, np.searchsorted(used, tokens) + 1)
    return np.concatenate(columns, axis=1), renumbered


def token_spans(emissions: Sequence[Emission], tokens: Sequence[Tokens], blank: int) -> list[Spans | None]:
    """The spans of each segment's tokens in its emission; None where there is no path (too few frames).

    Segments do not influence one another; they share the loop, those of like length together.
    """
    found: list[Spans | None] = [None] * len(emissions)
    usable = [i for i in range(len(emissions)) if len(emissions[i]) and len(tokens[i])]
    for group in _groups(usable, emissions, tokens):
        spans = _best_paths([emissions[i] for i in group], [tokens[i] for i in group], blank)
        for i, one in zip(group, spans, strict=True):
            found[i] = one
    return found


def _groups(usable: list[int], emissions: Sequence[Emission], tokens: Sequence[Tokens]) -> Iterator[list[int]]:
    group: list[int] = []
    widest = 0
    # The longest first, so the first of a group says how many frames the group has.
    for i in sorted(usable, key=lambda i: -len(emissions[i])):
        width = max(widest, len(tokens[i]))
        if group and len(emissions[group[0]]) * (len(group) + 1) * width > _CELLS:
            yield group
            group, width = [], len(tokens[i])
        group.append(i)
        widest = width
    if group:
        yield group


def _best_paths(emissions: list[Emission], tokens: list[Tokens], blank: int) -> list[Spans | None]:
    frames, widths = [len(each) for each in emissions], [len(each) for each in tokens]
    segments, longest, widest = len(emissions), max(frames), max(widths)
    enter = np.zeros((longest, segments, widest), np.float32)  # of going on to each token
    stay = np.zeros((longest, segments, 1), np.float32)
    unsaid = np.zeros((longest + 1, segments), np.float32)  # of having begun no token yet
    for i, (emission, columns) in enumerate(zip(emissions, tokens, strict=True)):
        enter[: frames[i], i, : widths[i]] = emission[:, columns]
        stay[: frames[i], i, 0] = emission[:, blank]
        unsaid[: frames[i] + 1, i] = _unsaid(emission[:, blank], widths[i])
    steps, last = _forward(enter, stay, unsaid, np.array(widths))
    return [
        _trace(steps[:, i, : widths[i]], int(np.argmax(last[: frames[i] + 1, i])), emissions[i], tokens[i], blank)
        for i in range(segments)
    ]


def _unsaid(blanks: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    # Summed in double precision and rounded each time, as torch.cumsum does.
    column = np.concatenate([[0.0], np.cumsum(blanks, dtype=np.float64)]).astype(np.float32)
    column[-width:] = np.inf  # as in WhisperX: with so few frames left the first token must have begun
    return column


def _forward(
    enter: NDArray[np.float32], stay: NDArray[np.float32], unsaid: NDArray[np.float32], widths: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Whether each token is best entered at each frame, and the score of having said all, before each frame."""
    longest, segments, widest = enter.shape
    steps = np.empty(enter.shape, np.bool_)
    last = np.full((longest + 1, segments), -np.inf, np.float32)
    everyone = np.arange(segments)
    scores = np.full((segments, widest + 1), -np.inf, np.float32)
    said, before = scores[:, 1:], scores[:, :-1]
    staying, entering = np.empty_like(said), np.empty_like(said)
    with np.errstate(invalid="ignore"):  # the infinities meet
        for frame in range(longest):
            scores[:, 0] = unsaid[frame]
            np.add(said, stay[frame], out=staying)
            np.add(before, enter[frame], out=entering)
            np.greater(entering, staying, out=steps[frame])
            np.maximum(staying, entering, out=said)
            last[frame + 1] = scores[everyone, widths]
    return steps, last


def _trace(steps: NDArray[np.bool_], end: int, emission: Emission, tokens: Tokens, blank: int) -> Spans | None:
    """Back from `end`, where all has been said, to the frame on which each token was entered."""
    token = len(tokens)
    flat, width = steps[:end].tobytes(), token
    starts = np.empty(token, np.intp)
    for frame in range(end - 1, -1, -1):
        if flat[frame * width + token - 1]:
            token -= 1
            starts[token] = frame
            if not token:
                break
    if token:
        return None
    ends = np.append(starts[1:], end)
    entered = np.exp(emission[starts, tokens]).astype(np.float64)
    blanks = np.concatenate([[0.0], np.cumsum(np.exp(emission[:, blank]), dtype=np.float64)])
    kept = blanks[ends] - blanks[starts + 1]
    return Spans(starts, ends, (entered + kept) / (ends - starts))
