"""Puts the speakers of many recordings together into voices: average linkage of unit vectors, with what people said.

Needs numpy, leaves nothing behind. The result is a function of the set of speakers: neither their order nor when they
came counts. Average linkage of cosines needs no matrix of pairs, as the mean cosine of two groups is the product of
their sums over their sizes. All pairs of groups that are each other's nearest are merged at once, which gives what
merging them one by one does (Sumengen et al., "Scaling Hierarchical Agglomerative Clustering to Billion-sized
Datasets", 2021). Rows are compared a block at a time: memory grows with the number of speakers, not with its square.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["THRESHOLDS", "Speaker", "closure", "group", "threshold_of"]

THRESHOLDS: Mapping[str, float] = {"ge2e": 0.76, "diarize": 0.88}
"""Mean cosine from which two groups are one voice, by the embedder's name; `diarize` is the sample's."""
_USUAL = 0.5
"""Of networks trained with a margin, as pyannote's: one person's recordings are above, two people's far below."""
_BLOCK = 512
_APART = -2.0

Numbers = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker of one recording. `key` orders them, and is known by nobody else.

    Two of the same `recording` are never put together, nor are two that people gave to different voices (`pin`); those
    of one pin always are.
    """

    key: tuple[str, ...]
    recording: Hashable
    pin: int | None = None


def threshold_of(embedder: str) -> float:
    """Of an embedder's name with its version, such as ge2e/1."""
    return THRESHOLDS.get(embedder.partition("/")[0], _USUAL)


def group(speakers: Sequence[Speaker], vectors: Vectors, threshold: float) -> list[list[int]]:
    """The speakers' places (in the order given) by voice; each voice's ordered by key, voices by their first.

    `vectors`: unit vectors (speakers, dimensions). Groups are merged while the mean cosine of the nearest two is
    `threshold` or more.
    """
    order = sorted(range(len(speakers)), key=lambda place: speakers[place].key)
    groups = _Groups([speakers[place] for place in order], np.asarray(vectors, np.float32)[order], threshold)
    while groups.merge_nearest():
        pass
    return [[order[place] for place in members] for members in groups.voices()]


def closure(speakers: Sequence[Speaker], vectors: Vectors, threshold: float, starts: Iterable[int]) -> list[int]:
    """The places of all whose voice may be another one because of those at `starts`, with these.

    Groups are merged only if a pair of theirs is as near as `threshold`: what no chain of such pairs leads to stays.
    """
    pinned: dict[int, list[int]] = {}
    for place, speaker in enumerate(speakers):
        if speaker.pin is not None:
            pinned.setdefault(speaker.pin, []).append(place)
    reached = np.zeros(len(speakers), bool)
    ahead = sorted(set(starts))
    while ahead:
        reached[ahead] = True
        near = np.zeros(len(speakers), bool)
        for first in range(0, len(ahead), _BLOCK):
            # A little more: rounding in another order must not part what is merged.
            near |= (vectors[ahead[first : first + _BLOCK]] @ vectors.T >= threshold - 1e-4).any(axis=0)
        for place in ahead:
            pin = speakers[place].pin
            if pin is not None:
                near[pinned.pop(pin, [])] = True
        ahead = [int(place) for place in np.flatnonzero(near & ~reached)]
    return [int(place) for place in np.flatnonzero(reached)]


class _Groups:
    """Groups by number; those of `active` may still be merged. Groups of one pin are one voice, however far apart they
    are: on the telephone and in the studio somebody sounds like two, and each is to be known again.

    Of each group the `nearest` that it may be merged with is known, their mean cosine, and a `bound` that no third
    group is above. Merging raises no cosine, so both hold until one of the two is merged.
    """

    def __init__(self, speakers: Sequence[Speaker], vectors: Vectors, threshold: float) -> None:
        count = len(speakers)
        self.threshold = threshold
        self.members = {place: [place] for place in range(count)}
        self.pins = np.array([-1 if each.pin is None else each.pin for each in speakers], np.int64)
        self.of_pin: dict[int, set[int]] = {}
        self.heard: dict[int, set[Hashable]] = {}
        self.recordings: list[set[Hashable]] = [{each.recording} for each in speakers]
        together: dict[Hashable, set[int]] = {}
        for place, speaker in enumerate(speakers):
            together.setdefault(speaker.recording, set()).add(place)
            if speaker.pin is not None:
                self.of_pin.setdefault(speaker.pin, set()).add(place)
                self.heard.setdefault(speaker.pin, set()).add(speaker.recording)
        self.apart = [together[each.recording] - {place} for place, each in enumerate(speakers)]
        self.means = vectors.copy()
        self.sizes = np.ones(count, np.float32)
        self.active = np.arange(count)
        self.nearest = np.zeros(count, np.int64)
        self.cosines = np.full(count, _APART, np.float32)
        self.bounds = np.full(count, _APART, np.float32)
        self._look(self.active)

    def voices(self) -> list[list[int]]:
        """The members of each voice, in order."""
        alone = [self.members[number] for number in self.members if self.pins[number] < 0]
        pinned = [[place for number in numbers for place in self.members[number]] for numbers in self.of_pin.values()]
        return sorted(sorted(members) for members in alone + pinned)

    def merge_nearest(self) -> bool:
        """Merges all pairs that are each other's nearest; False where there are none any more."""
        # Whoever has nobody near never will: a group's mean cosine is never above the better one of its two parts'.
        self.active = self.active[self.cosines[self.active] >= self.threshold]
        if len(self.active) < 2:
            return False
        theirs = self.nearest[self.active]
        mutual = (self.nearest[theirs] == self.active) & (self.active < theirs)
        pairs = list(zip(self.active[mutual].tolist(), theirs[mutual].tolist(), strict=True))
        if not pairs:  # rounding: a ring of ties
            best = int(self.active[np.argmax(self.cosines[self.active])])
            pairs = [(min(best, int(self.nearest[best])), max(best, int(self.nearest[best])))]
        merged, again = [], []
        for one, other in sorted(pairs, key=lambda pair: (-self.cosines[pair[0]], pair)):
            if self._are_apart(one, other):  # since others of their pin were merged
                again += [one, other]
            else:
                self._merge(one, other)
                merged.append((one, other))
        gone = np.zeros(len(self.pins), bool)
        gone[[other for _, other in merged]] = True
        self.active = self.active[~gone[self.active]]
        again += self._moved(np.array(sorted(one for one, _ in merged), np.int64), gone)
        self._look(np.array(sorted(set(again)), np.int64))
        return True

    def _moved(self, changed: Numbers, gone: NDArray[np.bool_]) -> list[int]:
        """Brings up to date what was merged, and who is near to it; returns those who must look at all groups again."""
        if not len(changed):
            return []
        lost = gone
        lost[changed] = True
        is_other = ~lost[self.active]
        others = self.active[is_other]
        best = np.full(len(others), _APART, np.float32)
        second, who = best.copy(), np.zeros(len(others), np.int64)
        for first in range(0, len(changed), _BLOCK):
            numbers = changed[first : first + _BLOCK]
            found = self._cosines(numbers, self.active)
            seen = found[:, is_other]
            self._note(numbers, found)
            if not len(others):
                continue
            place = seen.argmax(axis=0)
            top = seen[place, np.arange(len(others))]
            seen[place, np.arange(len(others))] = _APART
            second = np.maximum(np.maximum(second, seen.max(axis=0)), np.minimum(best, top))
            who = np.where(top > best, numbers[place], who)
            best = np.maximum(best, top)
        bounds = self.bounds[others]
        was_lost = lost[self.nearest[others]]
        found_again = was_lost & (best >= bounds)
        closer = ~was_lost & (best > self.cosines[others])
        take = found_again | closer
        self.bounds[others] = np.where(
            closer, np.maximum(self.cosines[others], second), np.maximum(bounds, np.where(was_lost, second, best))
        )
        self.nearest[others[take]], self.cosines[others[take]] = who[take], best[take]
        return [int(number) for number in others[was_lost & ~found_again]]

    def _look(self, numbers: Numbers) -> None:
        """Finds the nearest of all active groups for these."""
        for first in range(0, len(numbers), _BLOCK):
            rows = numbers[first : first + _BLOCK]
            self._note(rows, self._cosines(rows, self.active))

    def _note(self, rows: Numbers, found: NDArray[np.float32]) -> None:
        """Of the mean cosines with all active groups, which are changed here, the nearest and the bound."""
        if found.shape[1]:
            place = found.argmax(axis=1)
            self.nearest[rows] = self.active[place]
            self.cosines[rows] = found[np.arange(len(rows)), place]
            found[np.arange(len(rows)), place] = _APART
            self.bounds[rows] = found.max(axis=1)

    def _cosines(self, rows: Numbers, columns: Numbers) -> NDArray[np.float32]:
        """Mean cosines of two sets of groups; _APART where they may not be merged."""
        wide = 2 * len(columns) > len(self.means)  # then to copy the columns would cost more
        found = (self.means[rows] @ self.means.T)[:, columns] if wide else self.means[rows] @ self.means[columns].T
        at = np.full(len(self.pins), -1, np.int64)
        at[columns] = np.arange(len(columns))
        pins = self.pins[columns]
        of_pin: dict[tuple[bool, int], Numbers] = {}
        for row, number in enumerate(rows.tolist()):
            apart = np.fromiter(self.apart[number], np.int64)
            line, pin = found[row], int(self.pins[number])
            for each in {pin} if pin >= 0 else set(self.pins[apart].tolist()) - {-1}:
                key = (pin >= 0, each)
                if key not in of_pin:
                    of_pin[key] = self._apart_of_pin(each, columns, at) if pin >= 0 else np.flatnonzero(pins == each)
                line[of_pin[key]] = _APART
            places = at[apart]
            line[places[places >= 0]] = _APART
            if at[number] >= 0:
                line[at[number]] = _APART
        return found

    def _apart_of_pin(self, pin: int, columns: Numbers, at: Numbers) -> Numbers:
        """Places of the columns of other pins, and of those who are heard where somebody of this pin is."""
        heard = np.array(sorted(set().union(*(self.apart[number] for number in self.of_pin[pin]))), np.int64)
        heard = at[heard[self.pins[heard] != pin]]
        pins = self.pins[columns]
        return np.concatenate([np.flatnonzero((pins >= 0) & (pins != pin)), heard[heard >= 0]])

    def _are_apart(self, one: int, other: int) -> bool:
        pin, other_pin = int(self.pins[one]), int(self.pins[other])
        if pin >= 0 and other_pin >= 0 and pin != other_pin:
            return True
        if pin != other_pin:
            free = other if pin >= 0 else one
            return not self.heard[max(pin, other_pin)].isdisjoint(self.recordings[free])
        return not self.recordings[one].isdisjoint(self.recordings[other])

    def _merge(self, number: int, other: int) -> None:
        self.members[number] += self.members.pop(other)
        whole = self.sizes[number] + self.sizes[other]
        self.means[number] = (self.means[number] * self.sizes[number] + self.means[other] * self.sizes[other]) / whole
        self.sizes[number] = whole
        pin = int(max(self.pins[number], self.pins[other]))
        for each in self.apart[other]:
            self.apart[each].discard(other)
            self.apart[each].add(number)
        self.apart[number] |= self.apart[other]
        self.apart[other] = set()
        self.recordings[number] |= self.recordings[other]
        self.recordings[other] = set()
        if pin >= 0:
            self.pins[number] = pin
            self.of_pin[pin].discard(other)
            self.of_pin[pin].add(number)
            self.heard[pin] |= self.recordings[number]
