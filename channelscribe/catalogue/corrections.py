"""Corrections that last: records of what people corrected, and what every reader sees of them.

A correction changes no version. `replay` puts all corrections of a video that are not undone into the rows of each of
its versions (text, words, speakers, names), where search, exports and pages read them; what was recognized stays
beside, in the column `recognized`, and comes back when a correction is undone. The rows are a function of what was
recognized and of the set of corrections (`channelscribe.text.correcting`), so a new version gets them when it is
published, and it does not matter who was first.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue import listings
from channelscribe.catalogue.connection import clean_text, driver_connection, execute
from channelscribe.catalogue.search_query import searched_words, unspaced_runs
from channelscribe.catalogue.transcripts import as_recognized, segment_of, turns_of
from channelscribe.catalogue.videos import find_videos
from channelscribe.catalogue.words import drop_words, note_words_of, words_of_segments
from channelscribe.errors import UnknownVideo, UsageError
from channelscribe.files import content_key
from channelscribe.languages import is_without_spaces, words_of
from channelscribe.text.correcting import (
    AROUND,
    NEAR,
    Correction,
    Edit,
    Offsets,
    Placed,
    SpeakerCorrection,
    Standing,
    Token,
    corrected_segments,
    corrected_turns,
    in_case_of,
    occurrences,
    place,
    plain,
    revised,
    shown_tokens,
    tokens,
    with_speakers,
)
from channelscribe.text.names import entity_key
from channelscribe.transcript import Segment, Transcript, Turn

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "Change",
    "Listed",
    "as_if_recognized",
    "correct",
    "correct_speaker",
    "everywhere",
    "glossary",
    "imported",
    "listed",
    "record",
    "replay",
    "undo",
]

MARGIN = 8
"""Segments around those near a correction, so that the words around it are there."""
LEAST_ALIKE = 0.5
"""Of an edited file and the transcript: less is another text."""


@dataclass(frozen=True, slots=True)
class Change:
    """A correction that may be made: at `start` (seconds) `seen` is to be `new`, in the segment with this `text`."""

    video: str
    title: str
    start: float
    end: float
    seen: str
    new: str | None
    text: str
    video_pk: int
    version: int
    old: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    speaker: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `--json` tells of it."""
        names = ("video", "title", "start", "end", "seen", "new", "speaker", "text")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Listed:
    """A correction as it is kept; `standing` is in the video's current version."""

    number: int
    video: str
    title: str
    start: float
    end: float
    seen: str
    new: str | None
    speaker: str | None
    standing: str
    version: int
    made_by: str
    made_at: datetime
    undone_by: str | None
    undone_at: datetime | None


@dataclass(slots=True)
class _Version:
    """One version of a transcript as it was recognized, as far as it is loaded."""

    pk: int
    video_pk: int
    version: int
    language: str
    current: bool
    corrected: str | None
    video: str
    title: str
    rows: dict[int, Any] = field(default_factory=dict)
    segments: dict[int, Segment] = field(default_factory=dict)
    said: list[Token] = field(default_factory=list)

    @property
    def joint(self) -> str:
        return "" if is_without_spaces(self.language) else " "

    def take(self, rows: Iterable[Any]) -> None:
        self.rows = {row.index: row for row in rows}
        self.segments = {index: segment_of(as_recognized(row)) for index, row in sorted(self.rows.items())}
        self.said = tokens(self.segments.items(), self.language)

    def changes(self, shown: Sequence[Token], changes: Sequence[tuple[int, int, str]]) -> list[Change]:
        """Changes of what is shown, as corrections of what was recognized."""
        made = []
        for first, last, new in revised(self.said, shown, changes, self.language):
            said = self.said[first : last + 1]
            made.append(
                Change(
                    self.video,
                    self.title,
                    said[0].start,
                    max(said[0].start, said[-1].end),
                    self.joint.join(token.text for token in said),
                    clean_text(new),
                    self.rows[said[0].segment].text.strip(),
                    self.video_pk,
                    self.version,
                    tuple(token.plain for token in said),
                    _around(self.said[max(0, first - AROUND) : first][::-1])[::-1],
                    _around(self.said[last + 1 : last + 1 + AROUND]),
                )
            )
        return made


def _around(said: Sequence[Token]) -> tuple[str, ...]:
    """The words nearest first, up to what is not loaded."""
    words: list[str] = []
    for token in said:
        if token.segment < 0:
            break
        words.append(token.plain)
    return tuple(words)


VERSIONS = """
SELECT transcript.id AS pk, video.id AS video_pk, version, language, transcript.id = current_transcript_pk AS current,
    corrected, video.video_id AS video, video.title
FROM video JOIN transcript ON transcript.video_pk = video.id
WHERE video.id = ANY(:videos) ORDER BY transcript.id
"""
SEGMENT = """transcript_pk, index, start, "end", text, speaker, avg_logprob, word_texts, word_starts, word_ends,
    word_scores, word_aligned, word_speakers, flags, recognized"""
WHOLE = f"SELECT {SEGMENT} FROM segment WHERE transcript_pk = ANY(:transcripts) ORDER BY transcript_pk, index"  # noqa: S608
# Segments near given seconds, with those around, and what is corrected now.
NEAR_TO = f"""
WITH near AS MATERIALIZED (
    SELECT transcript_pk, min(index) - {MARGIN} AS first, max(index) + {MARGIN} AS last
    FROM unnest(CAST(:transcripts AS bigint[]), CAST(:starts AS float8[]), CAST(:ends AS float8[]))
        AS asked (transcript_pk, since, until)
    JOIN segment USING (transcript_pk) WHERE "end" >= since - {NEAR} AND start <= until + {NEAR}
    GROUP BY transcript_pk, since, until),
wanted AS (SELECT transcript_pk, index FROM near CROSS JOIN generate_series(first, last) AS index
    UNION SELECT transcript_pk, index FROM segment WHERE transcript_pk = ANY(:corrected) AND recognized IS NOT NULL)
SELECT {SEGMENT} FROM wanted JOIN segment USING (transcript_pk, index) ORDER BY transcript_pk, index
"""  # noqa: S608 - numbers of ours
ACTIVE = "SELECT * FROM correction WHERE video_pk = ANY(:videos) AND undone_at IS NULL ORDER BY id"


def _versions(session: Transaction, videos: Sequence[int]) -> dict[int, _Version]:
    rows = execute(session, VERSIONS, videos=list(videos)).mappings()
    return {row["pk"]: _Version(**row) for row in rows}


def _load(
    session: Transaction, versions: Iterable[_Version], near: Mapping[int, Sequence[tuple[float, float]]]
) -> None:
    """The segments near the given seconds of each version; all of those without any."""
    asked = list(versions)
    by_version: dict[int, list[Any]] = {version.pk: [] for version in asked}
    whole = [version.pk for version in asked if version.pk not in near]
    spans = [(pk, *span) for pk in by_version if pk in near for span in near[pk]]
    if whole:
        for row in execute(session, WHOLE, transcripts=whole):
            by_version[row.transcript_pk].append(row)
    if spans:
        pks, starts, ends = map(list, zip(*spans, strict=True))
        corrected = [version.pk for version in asked if version.pk in near and version.corrected]
        for row in execute(session, NEAR_TO, transcripts=pks, starts=starts, ends=ends, corrected=corrected):
            by_version[row.transcript_pk].append(row)
    for version in asked:
        version.take(by_version[version.pk])


def _as_correction(row: Any) -> Correction:
    return Correction(row.id, row.start, row.end, tuple(row.old), row.new, tuple(row.before), tuple(row.after))


def _shown(
    session: Transaction, versions: Sequence[_Version], near: Mapping[int, Sequence[tuple[float, float]]]
) -> dict[int, list[Token]]:
    """Each version's tokens with its corrections, loaded near the given seconds where it has none, else whole."""
    corrections: dict[int, list[Correction]] = {}
    for row in execute(session, ACTIVE, videos=[version.video_pk for version in versions]):
        if row.new is not None:
            corrections.setdefault(row.video_pk, []).append(_as_correction(row))
    spans = {each.pk: near[each.pk] for each in versions if each.pk in near and each.video_pk not in corrections}
    _load(session, versions, spans)
    shown = {}
    for each in versions:
        placed = place(corrections.get(each.video_pk, ()), each.said, each.language, whole=True)
        shown[each.pk] = shown_tokens(each.said, placed, each.language)
    return shown


def _current(session: Session, video: int | str) -> _Version:
    """Raises UnknownVideo."""
    pks = [video] if isinstance(video, int) else [row.id for row in find_videos(session, video)]
    found = [each for each in _versions(session, pks).values() if each.current]
    if not found:
        raise UnknownVideo(
            f"There is no transcript of {str(video)[:200]!r} to correct.",
            remedy="`channelscribe status` tells of videos.",
        )
    return found[0]


def correct(session: Session, video: int | str, seconds: float, old: str, new: str) -> list[Change]:
    """That the words `old`, said at about this second of the current transcript, be `new`; for `record`.

    Raises UnknownVideo, and UsageError where they are not said within NEAR seconds.
    """
    version = _current(session, video)
    shown = _shown(session, [version], {version.pk: [(seconds, seconds)]})[version.pk]
    wanted = tuple(map(plain, words_of(clean_text(old), version.language)))
    found = [at for at in occurrences(wanted, shown) if abs(shown[at].start - seconds) <= NEAR]
    if not found:
        there = version.joint.join(t.text for t in shown if t.segment >= 0 and abs(t.start - seconds) <= NEAR / 2)
        said = f"it says there: {there[:200]}" if there else "nothing is said there"
        raise UsageError(
            f"{old!r} is not said within {NEAR:.0f} s of {seconds:g} s; {said}.", remedy="Give words as shown."
        )
    at = min(found, key=lambda n: abs(shown[n].start - seconds))
    return version.changes(shown, [_replacement(shown, at, len(wanted), new, version)])


def _replacement(shown: Sequence[Token], at: int, count: int, new: str, version: _Version) -> tuple[int, int, str]:
    seen = version.joint.join(token.text for token in shown[at : at + count])
    return at, at + count, in_case_of(" ".join(clean_text(new).split()), seen)


def correct_speaker(session: Session, video: int | str, start: float, end: float, speaker: str) -> list[Change]:
    """That what is said from `start` to `end` be said by `speaker`; for `record`.

    Raises UnknownVideo, and UsageError where nothing is said there.
    """
    version = _current(session, video)
    shown = _shown(session, [version], {version.pk: [(start, end)]})[version.pk]
    said = [token for token in shown if start <= (token.start + token.end) / 2 <= end]
    if not said or not speaker.strip():
        raise UsageError(
            f"Nothing is said from {start:g} to {end:g} s.", remedy="Give a span as FROM-TO, such as 1:05-1:20."
        )
    text = version.joint.join(token.text for token in said)
    name = " ".join(clean_text(speaker).split())
    return [
        Change(
            version.video, version.title, start, end, text, None, text, version.video_pk, version.version, speaker=name
        )
    ]


CANDIDATES = """
SELECT transcript_pk, start, "end", index AS place, video.id AS video_pk
FROM segment JOIN video ON current_transcript_pk = transcript_pk
WHERE {said} AND {where} ORDER BY video.id, index
"""
ANYWHERE = "strpos(lower(segment.text), lower(:old)) > 0"
# A phrase may go over the end of a segment: its first word here, its last one in the next.
BY_INDEX = """search @@ plainto_tsquery('simple', :first) AND (search @@ plainto_tsquery('simple', :old) OR EXISTS (
    SELECT FROM segment AS next WHERE next.transcript_pk = segment.transcript_pk AND next.index = segment.index + 1
    AND next.search @@ plainto_tsquery('simple', :last)))"""
LISTED_WITH = """video.id IN (SELECT other.video_pk FROM source_video AS mine JOIN source_video AS other
    USING (source_pk) WHERE mine.video_pk = :of_video)"""


def everywhere(
    session: Session, old: str, new: str, *, channel: str | None = None, beside: int | str | None = None
) -> list[Change]:
    """All places in current transcripts where the whole words `old` are said, of one source, of the sources of the
    video `beside`, or of all; for `record`. Raises UnknownSource and UnknownVideo.
    """
    old = " ".join(clean_text(old).split())
    where, values = "true", dict[str, Any]()
    if channel is not None:
        if not listings.known_channel(session, channel):
            raise listings.unknown_channel(session, channel)
        where, values = listings.IN_CHANNEL, {"channel": clean_text(channel)}
    elif beside is not None:
        where, values = LISTED_WITH, {"of_video": _current(session, beside).video_pk}
    words = [word for word in old.split() if any(character.isalnum() for character in word)]
    if not words:
        raise UsageError("Which words are to be corrected?", remedy="Give them as they are shown.")
    if unspaced_runs(old):
        said, values = ANYWHERE, {**values, "old": old}
    else:
        said = BY_INDEX
        values |= {"first": searched_words(words[0]), "last": searched_words(words[-1]), "old": searched_words(old)}
    found = execute(session, CANDIDATES.format(said=said, where=where), **values).all()
    near: dict[int, list[tuple[float, float]]] = {}
    wanted: dict[int, set[int]] = {}
    for row in found:
        near.setdefault(row.transcript_pk, []).append((row.start, row.end))
        wanted.setdefault(row.transcript_pk, set()).add(row.place)
    versions = [
        each for each in _versions(session, sorted({row.video_pk for row in found})).values() if each.pk in near
    ]
    made: list[Change] = []
    all_shown = _shown(session, versions, near)
    for version in versions:
        shown = all_shown[version.pk]
        said_words = tuple(map(plain, words_of(old, version.language)))
        new_words = tuple(map(plain, words_of(new, version.language)))
        already = {
            first + inside
            for first in occurrences(new_words, shown)
            for inside in range(len(new_words))
            if new_words[inside : inside + len(said_words)] == said_words and new_words != said_words
        }
        end, changes = 0, []
        for at in occurrences(said_words, shown):
            if at >= end and at not in already and shown[at].segment in wanted[version.pk]:
                changes.append(_replacement(shown, at, len(said_words), new, version))
                end = at + len(said_words)
        made += version.changes(shown, [each for each in changes if _differs(shown, each, version.joint)])
    return made


def _differs(shown: Sequence[Token], change: tuple[int, int, str], joint: str) -> bool:
    first, end, new = change
    return joint.join(token.text for token in shown[first:end]) != new


def imported(session: Session, video: int | str, edited: Transcript, *, ignoring: Iterable[str] = ()) -> list[Change]:
    """What an edited copy of the current transcript says otherwise, for `record`; its words are compared with those
    shown, in their order, and its times do not count. Segments with a flag in `ignoring` may be missing in it.

    Raises UnknownVideo, and UsageError for what is no copy of it.
    """
    version = _current(session, video)
    shown = _shown(session, [version], {})[version.pk]
    before = [token.text for token in shown]
    after = [word for segment in edited.segments for word in words_of(clean_text(segment.text), version.language)]
    matcher = SequenceMatcher(None, before, after)
    missing = {index for index, row in version.rows.items() if not set(ignoring).isdisjoint(row.flags)}
    changes, others = [], 0
    for first, end, start, stop in _differences(matcher, before, after):
        left_out = start == stop and all(token.segment in missing for token in shown[first:end])
        if not left_out and "".join(before[first:end]) != "".join(after[start:stop]):
            changes.append((first, end, version.joint.join(after[start:stop])))
            others += end - first
    if others > (1 - LEAST_ALIKE) * len(before):
        raise UsageError(
            f"The file has little in common with the transcript of {version.video}.",
            remedy="Edit what `channelscribe show VIDEO --format srt` writes.",
        )
    return version.changes(shown, changes) if shown else []


def _differences(
    matcher: SequenceMatcher[str], before: Sequence[str], after: Sequence[str]
) -> Iterable[tuple[int, int, int, int]]:
    """As small as they are: what is common in a text is passed over by difflib in the first go."""
    for kind, first, end, start, stop in matcher.get_opcodes():
        if kind == "replace":
            inner = SequenceMatcher(None, before[first:end], after[start:stop], False)
            for part, i, j, k, m in inner.get_opcodes():
                if part == "replace" and j - i == m - k:
                    yield from (
                        (first + i + n, first + i + n + 1, start + k + n, start + k + n + 1) for n in range(j - i)
                    )
                elif part != "equal":
                    yield first + i, first + j, start + k, start + m
        elif kind != "equal":
            yield first, end, start, stop


INSERT = """
INSERT INTO correction (video_pk, version, batch, start, "end", seen, old, new, speaker, before, after, made_by)
VALUES (%s, %s, %s, %s, %s, %s, %s::text[], %s, %s, %s::text[], %s::text[], %s)
"""


def record(session: Session, changes: Sequence[Change], by: str) -> list[Listed]:
    """Keep these corrections, made by a person, and apply them."""
    batch = uuid.uuid4().hex
    rows = [
        (
            c.video_pk, c.version, batch, c.start, c.end, clean_text(c.seen), list(c.old), c.new, c.speaker,
            list(c.before), list(c.after), clean_text(by),
        )
        for c in changes
    ]  # fmt: skip
    with driver_connection(session).cursor() as cursor:
        cursor.executemany(INSERT, rows)
    replay(session, sorted({change.video_pk for change in changes}))
    return _listed(session, "batch = :batch", batch=batch)


UNDO = """
UPDATE correction SET undone_at = now(), undone_by = :by WHERE undone_at IS NULL AND (id = ANY(:numbers)
    OR (:together AND batch IN (SELECT batch FROM correction WHERE id = ANY(:numbers)))) RETURNING id, video_pk
"""


def undo(session: Session, numbers: Sequence[int], by: str, *, together: bool = False) -> list[Listed]:
    """Take back corrections by their numbers; with `together` all that were made by the same commands.

    Raises UsageError for a number that no correction has.
    """
    query = "SELECT id FROM correction WHERE id = ANY(:numbers)"
    unknown = set(numbers) - set(execute(session, query, numbers=list(numbers)).scalars())
    if unknown:
        raise UsageError(
            f"There is no correction {min(unknown)}.", remedy="`channelscribe corrections list` tells the numbers."
        )
    rows = execute(session, UNDO, by=clean_text(by), numbers=list(numbers), together=together).all()
    replay(session, sorted({row.video_pk for row in rows}))
    return _listed(session, "correction.id = ANY(:numbers)", numbers=[row.id for row in rows])


LISTED = """
SELECT correction.id AS number, video.video_id AS video, video.title, start, "end", seen, new, speaker, standing,
    version, made_by, made_at, undone_by, undone_at
FROM correction JOIN video ON video.id = video_pk WHERE {where} ORDER BY correction.id
"""


def _listed(session: Transaction, where: str, **values: Any) -> list[Listed]:
    return [Listed(**row) for row in execute(session, LISTED.format(where=where), **values).mappings()]


def listed(
    session: Session,
    *,
    video: int | str | None = None,
    channel: str | None = None,
    standing: str | None = None,
    undone: bool = False,
) -> list[Listed]:
    """Corrections, the oldest first; with `undone` those that were taken back, too.

    Raises UnknownVideo and UnknownSource.
    """
    where, values = [] if undone else ["undone_at IS NULL"], dict[str, Any]()
    if video is not None:
        pks = [video] if isinstance(video, int) else [row.id for row in find_videos(session, video)]
        if not pks:
            raise UnknownVideo(f"no video {video!s} in the catalogue.", remedy="`channelscribe sync` brings videos in.")
        where, values["videos"] = [*where, "video.id = ANY(:videos)"], pks
    if channel is not None:
        if not listings.known_channel(session, channel):
            raise listings.unknown_channel(session, channel)
        where, values["channel"] = [*where, listings.IN_CHANNEL], clean_text(channel)
    if standing is not None:
        where, values["standing"] = [*where, "standing = :standing"], standing
    return _listed(session, " AND ".join(where) or "true", **values)


def replay(session: Session, videos: Sequence[int]) -> None:
    """Put the corrections of these videos into the rows of all their versions, in this transaction."""
    if not videos:
        return
    execute(session, "SELECT id FROM video WHERE id = ANY(:videos) ORDER BY id FOR UPDATE", videos=list(videos))
    by_video: dict[int, list[Any]] = {}
    for row in execute(session, ACTIVE, videos=list(videos)):
        by_video.setdefault(row.video_pk, []).append(row)
    versions = _versions(session, videos)
    versions = {pk: each for pk, each in versions.items() if each.video_pk in by_video or each.corrected}
    if not versions:
        return
    speakers = _Speakers(session, versions.values())
    work = {pk: _Work(version, by_video.get(version.video_pk, []), speakers) for pk, version in versions.items()}
    # One without corrections any more has only what is corrected now: no span is nowhere.
    nowhere = [(float("-inf"), float("-inf"))]
    _load(session, versions.values(), {pk: each.spans or nowhere for pk, each in work.items()})
    for each in work.values():
        each.place(whole=False)
    if far := [each for each in work.values() if Standing.OPEN in each.placed.standings.values()]:
        _load(session, [each.version for each in far], {})
        for each in far:
            each.place(whole=True)
    changed = [each for each in work.values() if each.render()]
    _write_segments(session, changed)
    speakers.write(session, work.values())
    _write_readings(session, list(work.values()))
    _write_standings(session, list(work.values()))


class _Work:
    """The corrections of one version: where they are, and what its segments are with them."""

    def __init__(self, version: _Version, rows: Sequence[Any], speakers: _Speakers) -> None:
        self.version = version
        self.words = [_as_correction(row) for row in rows if row.new is not None]
        self.speakers: list[SpeakerCorrection] = []
        self.unknown: list[int] = []
        for row in rows:
            if row.speaker is not None:
                label = speakers.label(row, version)
                if label is None:
                    self.unknown.append(row.id)
                else:
                    self.speakers.append(SpeakerCorrection(row.id, row.start, row.end, label))
        self.spans = [(each.start, each.end) for each in self.words]
        self.spans += [(each.start, each.end) for each in self.speakers]
        self.placed = Placed()
        self.edits: dict[int, list[Edit]] = {}
        self.made: dict[int, Segment] = {}

    def place(self, *, whole: bool) -> None:
        self.placed = place(self.words, self.version.said, self.version.language, whole=whole)
        shown = shown_tokens(self.version.said, self.placed, self.version.language) if self.speakers else []
        middles = [(token.start + token.end) / 2 for token in shown]
        for each in self.speakers:
            heard = any(each.start <= middle <= each.end for middle in middles)
            self.placed.standings[each.number] = Standing.APPLIED if heard else Standing.OPEN
        self.placed.standings |= dict.fromkeys(self.unknown, Standing.OPEN)

    def speaker_at(self, second: float, recognized: str | None) -> str | None:
        names = [each.speaker for each in self.speakers if each.start <= second <= each.end]
        return names[-1] if names else recognized

    @property
    def digest(self) -> str | None:
        """What is applied: with what was recognized it is all that the rows are made of."""
        applied = sorted(n for n, standing in self.placed.standings.items() if standing is Standing.APPLIED)
        return content_key(*applied)[:16] if applied else None

    def render(self) -> bool:
        """Whether a row is another one now."""
        recognized = self.version.segments
        corrected = corrected_segments(recognized, self.version.said, self.placed, self.version.language)
        self.edits = {index: edits for index, (_, edits) in corrected.items()}
        for index, segment in recognized.items():
            made = corrected[index][0] if index in corrected else segment
            made = with_speakers(made, self.speakers)
            if made != segment_of(self.version.rows[index]):
                self.made[index] = made
        return bool(self.made)


UPDATE_SEGMENT = """
UPDATE segment SET text = %s, speaker = %s, word_texts = %s::text[], word_starts = %s::float8[],
    word_ends = %s::float8[], word_scores = %s::float8[], word_aligned = %s::boolean[], word_speakers = %s::text[],
    recognized = %s::jsonb
WHERE transcript_pk = %s AND index = %s
"""
KEPT = ("text", "speaker", "word_texts", "word_starts", "word_ends", "word_scores", "word_aligned", "word_speakers")


def _write_segments(session: Session, work: Sequence[_Work]) -> None:
    rows = []
    for each in work:
        for index, segment in each.made.items():
            row = as_recognized(each.version.rows[index])
            same = segment == segment_of(row)
            was = {name: getattr(row, name) for name in KEPT}
            # What was recognized comes back as it was, to the last NULL.
            now = was if same else _columns(segment)
            rows.append((*(now[name] for name in KEPT), None if same else json.dumps(was), each.version.pk, index))
    if not rows:
        return
    places = [(row[-2], row[-1]) for row in rows]
    before = words_of_segments(session, places)
    with driver_connection(session).cursor() as cursor:
        cursor.executemany(UPDATE_SEGMENT, rows)
    note_words_of(session, places)
    drop_words(session, sorted(set(before) - set(words_of_segments(session, places))))


def _columns(segment: Segment) -> dict[str, Any]:
    speakers = [word.speaker for word in segment.words]
    return {
        "text": segment.text,
        "speaker": segment.speaker,
        "word_texts": [word.text for word in segment.words],
        "word_starts": [word.start for word in segment.words],
        "word_ends": [word.end for word in segment.words],
        "word_scores": [word.score for word in segment.words],
        "word_aligned": [word.aligned for word in segment.words],
        "word_speakers": None if set(speakers) <= {segment.speaker} else speakers,
    }


class _Speakers:
    """The speakers of versions as they were recognized, and what corrections make of them."""

    def __init__(self, session: Session, versions: Iterable[_Version]) -> None:
        self.rows: dict[int, list[Any]] = {}
        self.numbers: dict[tuple[int, int], int] = {}
        for version in versions:
            self.rows[version.pk] = []
            self.numbers[version.video_pk, version.version] = version.pk
        query = "SELECT * FROM speaker WHERE transcript_pk = ANY(:transcripts) ORDER BY transcript_pk, label"
        for row in execute(session, query, transcripts=list(self.rows)):
            self.rows[row.transcript_pk].append(row)

    def recognized(self, transcript: int) -> list[Turn]:
        rows = [as_recognized(row) for row in self.rows.get(transcript, []) if row.recognized != ADDED]
        return turns_of(rows)

    def label(self, correction: Any, version: _Version) -> str | None:
        """The corrected speaker in this version; None where nobody tells who that is there.

        A label such as SPEAKER_01 is of its own version: in another one it is who speaks for most of the same time.
        """
        own = self.numbers.get((correction.video_pk, correction.version))
        name: str = correction.speaker
        if own == version.pk:
            return name
        turns = [turn for turn in self.recognized(own or 0) if turn.speaker == name]
        if not turns:
            return None if name.startswith("SPEAKER_") else name
        shared: dict[str, float] = {}
        for there in self.recognized(version.pk):
            for turn in turns:
                common = min(turn.end, there.end) - max(turn.start, there.start)
                shared[there.speaker] = shared.get(there.speaker, 0.0) + max(0.0, common)
        best = max(shared, key=lambda label: (shared[label], label), default=None)
        half = sum(turn.end - turn.start for turn in turns) / 2
        return best if best is not None and shared[best] >= half else None

    def write(self, session: Session, work: Iterable[_Work]) -> None:
        for each in work:
            corrected = any(row.recognized is not None for row in self.rows[each.version.pk])
            if each.speakers or corrected:
                self._write(session, each)

    def _write(self, session: Session, each: _Work) -> None:
        pk = each.version.pk
        standings = each.placed.standings
        applied = [one for one in each.speakers if standings[one.number] is Standing.APPLIED]
        turns = corrected_turns(self.recognized(pk), applied)
        rows = {row.label: row for row in self.rows[pk]}
        for label in sorted({turn.speaker for turn in turns} | set(rows)):
            row = rows.get(label)
            mine = [turn for turn in turns if turn.speaker == label]
            if row is None or row.recognized == ADDED:
                execute(session, "DELETE FROM speaker WHERE transcript_pk = :pk AND label = :label", pk=pk, label=label)
                if mine:
                    execute(session, ADD_SPEAKER, pk=pk, label=label, was=json.dumps(ADDED), **_turns(mine))
                continue
            was = as_recognized(row)
            names = ("seconds", "turn_starts", "turn_ends")
            now = _turns(mine)
            same = (now["starts"], now["ends"]) == (was.turn_starts, was.turn_ends)
            now = {"seconds": was.seconds, "starts": was.turn_starts, "ends": was.turn_ends} if same else now
            kept = None if same else json.dumps({name: getattr(was, name) for name in names})
            execute(session, UPDATE_SPEAKER, pk=pk, label=label, was=kept, **now)


ADDED = {"added": True}
"""In the place of what was recognized of a speaker: nobody of that name was."""
ADD_SPEAKER = """
INSERT INTO speaker (transcript_pk, label, seconds, turn_starts, turn_ends, recognized)
VALUES (:pk, :label, :seconds, CAST(:starts AS float8[]), CAST(:ends AS float8[]), CAST(:was AS jsonb))
"""
UPDATE_SPEAKER = """
UPDATE speaker SET seconds = :seconds, turn_starts = CAST(:starts AS float8[]), turn_ends = CAST(:ends AS float8[]),
    recognized = CAST(:was AS jsonb) WHERE transcript_pk = :pk AND label = :label
"""


def _turns(turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        "seconds": float(sum(turn.end - turn.start for turn in turns)),
        "starts": [turn.start for turn in turns],
        "ends": [turn.end for turn in turns],
    }


TEXTS = """
SELECT transcript_pk, index, text, recognized ->> 'text' AS was FROM segment WHERE transcript_pk = ANY(:transcripts)
ORDER BY transcript_pk, index
"""
READINGS = {
    "sentence": ("text", "start_char", "end_char", "speaker"),
    "entity": ("text", "start_char", "end_char", "speaker", "key"),
}
READ = """
SELECT transcript_pk, index, start, "end", {columns}, recognized FROM {table} WHERE transcript_pk = ANY(:transcripts)
"""
UPDATE_READING = "UPDATE {table} SET {columns}, recognized = %s::jsonb WHERE transcript_pk = %s AND index = %s"


def _write_readings(session: Session, work: Sequence[_Work]) -> None:
    """Sentences and names at their places in the corrected text, with the corrected words."""
    concerned = {each.version.pk: each for each in work if each.edits or each.speakers or each.version.corrected}
    if not concerned:
        return
    lines: dict[int, list[Any]] = {pk: [] for pk in concerned}
    for row in execute(session, TEXTS, transcripts=list(concerned)):
        lines[row.transcript_pk].append(row)
    texts = {pk: _text_and_offsets(lines[pk], each.edits) for pk, each in concerned.items()}
    for table, columns in READINGS.items():
        updates = []
        statement = READ.format(table=table, columns=", ".join(columns))
        for row in execute(session, statement, transcripts=list(concerned)):
            text, offsets = texts[row.transcript_pk]
            shown = {name: getattr(row, name) for name in columns}
            was = row.recognized or shown
            start, end = offsets.span(was["start_char"], was["end_char"])
            now = {**was, "start_char": start, "end_char": end}
            if row.start is not None and row.end is not None:
                now["speaker"] = concerned[row.transcript_pk].speaker_at((row.start + row.end) / 2, was["speaker"])
            if offsets.touched(was["start_char"], was["end_char"]):
                now["text"] = text[start:end]
                now |= {"key": entity_key(now["text"])} if "key" in now else {}
            if now != shown or (row.recognized is not None and now == was):
                kept = None if now == was else json.dumps(was)
                updates.append((*(now[name] for name in columns), kept, row.transcript_pk, row.index))
        with driver_connection(session).cursor() as cursor:
            assigned = ", ".join(f"{name} = %s" for name in columns)
            cursor.executemany(UPDATE_READING.format(table=table, columns=assigned), updates)


def _text_and_offsets(lines: Sequence[Any], edits: Mapping[int, list[Edit]]) -> tuple[str, Offsets]:
    """The corrected text as `Transcript.text` has it, and the way there from the recognized one."""
    whole: list[Edit] = []
    at = 0
    for line in lines:
        was = line.text if line.was is None else line.was
        said = was.strip()
        if not said:
            continue
        lead = len(was) - len(was.lstrip())
        if not line.text.strip():
            whole.append(Edit(at, at + len(said) + 1, ""))
        else:
            for edit in edits.get(line.index, ()):
                first, last = max(0, edit.first - lead), min(len(said), edit.last - lead)
                whole.append(Edit(at + first, at + max(first, last), edit.text))
        at += len(said) + 1
    return _joined(line.text for line in lines), Offsets(whole)


def as_if_recognized(session: Session, transcript: int, reading: Mapping[str, Any]) -> dict[str, Any]:
    """A reading of the corrected text as if it were of the recognized one, which `replay` corrects again."""
    query = "SELECT video_pk FROM transcript WHERE id = :transcript"
    video = execute(session, query, transcript=transcript).scalar_one()
    rows = list(execute(session, ACTIVE, videos=[video]))
    version = _versions(session, [video])[transcript]
    each = _Work(version, rows, _Speakers(session, [version]))
    _load(session, [version], {})
    each.place(whole=True)
    each.render()
    lines = execute(session, TEXTS, transcripts=[transcript]).all()
    recognized = _joined(line.text if line.was is None else line.was for line in lines)
    back = _text_and_offsets(lines, each.edits)[1].back(recognized)

    def of_recognized(item: dict[str, Any]) -> dict[str, Any]:
        start, end = back.span(item["start_char"], item["end_char"])
        if not back.touched(item["start_char"], item["end_char"]):
            return item | {"start_char": start, "end_char": end}
        text = recognized[start:end]
        return (
            item
            | {"text": text, "start_char": start, "end_char": end}
            | ({"key": entity_key(text)} if "key" in item else {})
        )

    return {
        **reading,
        **{name: [of_recognized(item) for item in reading.get(name, [])] for name in ("sentences", "entities")},
    }


def _joined(texts: Iterable[str]) -> str:
    """As `Transcript.text` joins them."""
    return " ".join(text.strip() for text in texts if text.strip())


GLOSSARY = """
SELECT lower(seen) AS heard, new AS written, count(*) AS places FROM correction JOIN video ON video.id = video_pk
WHERE undone_at IS NULL AND new <> '' AND {where} GROUP BY 1, 2 ORDER BY places DESC, 1, 2
"""
MOST_WORDS = 4
"""Of an entry of a glossary; longer ones are sentences that were put right."""


def glossary(session: Session, *, channel: str | None = None, least: int = 2) -> dict[str, str]:
    """What is heard again and again, and how it is written: `speech.rewrite` for the next transcripts of a source.

    `least` places must have been corrected alike. Raises UnknownSource.
    """
    where, values = "true", dict[str, Any]()
    if channel is not None:
        if not listings.known_channel(session, channel):
            raise listings.unknown_channel(session, channel)
        where, values = listings.IN_CHANNEL, {"channel": clean_text(channel)}
    counted: dict[tuple[str, str], int] = {}
    for row in execute(session, GLOSSARY.format(where=where), **values):
        heard, written = " ".join(map(plain, row.heard.split())), _without_edges(row.written)
        if heard and len(heard.split()) <= MOST_WORDS and heard != written:
            counted[heard, written] = counted.get((heard, written), 0) + row.places
    made: dict[str, str] = {}
    for (heard, written), places in sorted(counted.items(), key=lambda each: -each[1]):
        if places >= least:
            made.setdefault(heard, written)
    return made


def _without_edges(text: str) -> str:
    return text.strip(' .,;:!?…"“”„«»()[]')


STANDINGS = """
UPDATE correction SET standing = now.standing
FROM unnest(CAST(:numbers AS bigint[]), CAST(:standings AS text[])) AS now (id, standing)
WHERE correction.id = now.id AND correction.standing <> now.standing
"""
CORRECTED = """
UPDATE transcript SET corrected = now.corrected
FROM unnest(CAST(:pks AS bigint[]), CAST(:digests AS text[])) AS now (id, corrected) WHERE transcript.id = now.id
    AND transcript.corrected IS DISTINCT FROM now.corrected
"""


def _write_standings(session: Session, work: Sequence[_Work]) -> None:
    current = {n: s.value for each in work if each.version.current for n, s in each.placed.standings.items()}
    execute(session, STANDINGS, numbers=list(current), standings=list(current.values()))
    digests = [each.digest for each in work]
    execute(session, CORRECTED, pks=[each.version.pk for each in work], digests=digests)
