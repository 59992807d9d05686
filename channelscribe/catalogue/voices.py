"""Voices: the speakers of a source's videos put together by their vectors, and what people say of who they are.

A speaker's vector is written with its transcript. `regroup` puts the speakers of a source's current transcripts into
voices (`channelscribe.catalogue.voice_groups`); what is new moves only those that it is near to, with the result of
putting all of them together at once. What a person decided is a pin: this speaker is that voice, or nobody's. Pins are
where grouping begins, so no run undoes them, and they alone go from one source to another. A name is a voice's, and
readers see it in place of the label; no transcript is written anew.

Whoever changes voices holds one lock until the end of the transaction; it is taken after that of a video's row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from channelscribe.catalogue import listings
from channelscribe.catalogue.connection import clean_text, driver_connection, execute
from channelscribe.errors import UsageError

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction

__all__ = [
    "Member",
    "Voice",
    "forget",
    "forget_video",
    "has_voices",
    "keep_vectors",
    "listed",
    "members",
    "merge",
    "name",
    "one",
    "regroup_all",
    "regroup_of",
    "resolve",
    "shown_names",
    "split",
    "vectors_of",
]

LONGEST_NAME = 200
CURRENT = "transcript.id = video.current_transcript_pk"
HOME = "(SELECT min(source_video.source_pk) FROM source_video WHERE source_video.video_pk = video.id)"
"""SQL: a video's voices are those of the source that it was first listed in."""


def _lock(session: Session) -> None:
    execute(session, "SELECT pg_advisory_xact_lock(hashtext('channelscribe.voices'), 0)")


# What runs write.

ADD = """
INSERT INTO speaker_voice (transcript_pk, label, embedder, vector, seconds, spread)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (transcript_pk, label) DO UPDATE SET embedder = excluded.embedder,
    vector = excluded.vector, seconds = excluded.seconds, spread = excluded.spread, settled = false
WHERE speaker_voice.vector IS NULL AND excluded.vector IS NOT NULL
"""


def keep_vectors(session: Session, transcript_pk: int, heard: Mapping[str, Any]) -> None:
    """Write what `channelscribe.speech.voices.hear` answered of a transcript's speakers, but for those that somebody
    wants to be forgotten.
    """
    import numpy as np

    forgotten = {label for (_, label), voice in _pins(session, transcripts=[transcript_pk]).items() if voice is None}
    rows = []
    for label, each in heard["voices"].items():
        if label in forgotten:
            continue
        vector = None if each["vector"] is None else np.asarray(each["vector"], "<f4").tobytes()
        embedder = None if vector is None else heard["embedder"]
        rows.append((transcript_pk, label, embedder, vector, each["seconds"], each["spread"]))
    with driver_connection(session).cursor() as cursor:
        cursor.executemany(ADD, rows)


STALE = f"""
SELECT DISTINCT source FROM (
    SELECT unnest(ARRAY[speaker_voice.source_pk, {HOME}]) AS source FROM video
    JOIN transcript ON transcript.video_pk = video.id JOIN speaker_voice ON transcript_pk = transcript.id
    WHERE {{where}} AND (settled <> coalesce({CURRENT}, false) OR (settled AND source_pk IS DISTINCT FROM {HOME})))
    AS found WHERE source IS NOT NULL ORDER BY source
"""  # noqa: S608 - constants of this module


def regroup_of(session: Session, video_pk: int) -> None:
    """Put the speakers of a video's current transcript into voices, after it became current."""
    _regroup_stale(session, "video.id = :video", video=video_pk)


def regroup_all(session: Session) -> None:
    """Put all speakers into voices that are not; nothing is left to do where runs were not killed."""
    _regroup_stale(session, "true")


def _regroup_stale(session: Session, where: str, **values: Any) -> None:
    query = STALE.format(where=where)
    if not execute(session, query, **values).all():
        return
    _lock(session)
    for source in list(execute(session, query, **values).scalars()):
        _regroup(session, source)


SPEAKERS = f"""
SELECT speaker_voice.transcript_pk, label, embedder, settled, voice_pk, video.id AS video_pk, video.site,
    video.video_id AS video, speaker_voice.source_pk, coalesce(kept, false) AS kept
FROM source_video JOIN video ON video.id = source_video.video_pk JOIN transcript ON {CURRENT}
JOIN speaker_voice ON transcript_pk = transcript.id LEFT JOIN voice ON voice.id = voice_pk
WHERE source_video.source_pk = :source AND {HOME} = :source ORDER BY site, video, label
"""  # noqa: S608
GONE = f"""
UPDATE speaker_voice SET settled = false FROM transcript JOIN video ON video.id = video_pk
WHERE transcript_pk = transcript.id AND settled AND source_pk = :source
    AND NOT (coalesce({CURRENT}, false) AND {HOME} IS NOT DISTINCT FROM :source)
RETURNING voice_pk
"""  # noqa: S608
VECTORS = """
SELECT transcript_pk, label, vector FROM speaker_voice
JOIN unnest(CAST(:transcripts AS bigint[]), CAST(:labels AS text[])) AS wanted (transcript_pk, label)
    USING (transcript_pk, label) WHERE vector IS NOT NULL
"""
SETTLE = """
UPDATE speaker_voice SET voice_pk = now.voice_pk, source_pk = :source, settled = true
FROM unnest(CAST(:transcripts AS bigint[]), CAST(:labels AS text[]), CAST(:voices AS bigint[]))
    AS now (transcript_pk, label, voice_pk)
WHERE speaker_voice.transcript_pk = now.transcript_pk AND speaker_voice.label = now.label
    AND NOT (speaker_voice.voice_pk IS NOT DISTINCT FROM now.voice_pk AND source_pk IS NOT DISTINCT FROM :source
        AND settled)
"""
FORGET_SPEAKERS = """
UPDATE speaker_voice SET embedder = NULL, vector = NULL, spread = NULL, voice_pk = NULL
FROM unnest(CAST(:transcripts AS bigint[]), CAST(:labels AS text[])) AS gone (transcript_pk, label)
WHERE speaker_voice.transcript_pk = gone.transcript_pk AND speaker_voice.label = gone.label
"""
DROP_EMPTY = """
DELETE FROM voice WHERE id = ANY(:voices) AND NOT kept
    AND NOT EXISTS (SELECT FROM speaker_voice WHERE voice_pk = voice.id AND settled)
"""


def _regroup(session: Session, source: int, *, whole: bool = False) -> None:
    """Under the lock: the voices of a source. `whole`: pins have changed, so all of it is looked at."""
    left = set(execute(session, GONE, source=source).scalars())
    rows = execute(session, SPEAKERS, source=source).all()
    pins = _pins(session, sources=[source])
    speakers = [(row.transcript_pk, row.label) for row in rows]
    of_nobody = [each for each in speakers if pins.get(each, 0) is None]
    if of_nobody:
        execute(
            session, FORGET_SPEAKERS, transcripts=[t for t, _ in of_nobody], labels=[label for _, label in of_nobody]
        )
    new = {place for place, row in enumerate(rows) if whole or left or not row.settled or row.source_pk != source}
    now: dict[int, int | None] = {place: pins.get(speakers[place]) for place in new}
    _group(session, rows, pins, new, now)
    _number(session, rows, now)
    settled = sorted(now)
    execute(
        session,
        SETTLE,
        source=source,
        transcripts=[rows[place].transcript_pk for place in settled],
        labels=[rows[place].label for place in settled],
        voices=[now[place] for place in settled],
    )
    left |= {rows[place].voice_pk for place in settled}
    execute(session, DROP_EMPTY, voices=sorted(voice for voice in left if voice is not None))


def _group(
    session: Session,
    rows: Sequence[Any],
    pins: Mapping[tuple[int, str], int | None],
    new: set[int],
    now: dict[int, int | None],
) -> None:
    """Into `now`, by place: a pin's voice, or minus a number of its own for each group without any; of all that the
    `new` ones may move.
    """
    import numpy as np

    from channelscribe.catalogue.voice_groups import Speaker, closure, group, threshold_of

    places = {(row.transcript_pk, row.label): place for place, row in enumerate(rows)}
    for embedder in sorted({rows[place].embedder for place in new if rows[place].embedder}):
        of_it = [(row.transcript_pk, row.label) for row in rows if row.embedder == embedder]
        asked = {"transcripts": [pk for pk, _ in of_it], "labels": [label for _, label in of_it]}
        found = {places[row.transcript_pk, row.label]: row.vector for row in execute(session, VECTORS, **asked)}
        here = [
            place for place in sorted(found) if pins.get((rows[place].transcript_pk, rows[place].label), 0) is not None
        ]
        if not here:
            continue
        vectors = np.stack([np.frombuffer(found[place], "<f4") for place in here])
        speakers = [
            Speaker(
                (rows[place].site, rows[place].video, rows[place].label),
                rows[place].video_pk,
                pins.get((rows[place].transcript_pk, rows[place].label)),
            )
            for place in here
        ]
        threshold = threshold_of(embedder)
        starts = [n for n, place in enumerate(here) if place in new]
        moved = closure(speakers, vectors, threshold, starts)
        for members in group([speakers[n] for n in moved], vectors[moved], threshold):
            theirs = [moved[n] for n in members]
            pin = next((speakers[n].pin for n in theirs if speakers[n].pin is not None), None)
            number = pin if pin is not None else -1 - here[theirs[0]]
            now |= {here[n]: number for n in theirs}


def _number(session: Session, rows: Sequence[Any], now: dict[int, int | None]) -> None:
    """Groups without a pin keep the number of the voice that most of them were, or get a new one."""
    shared: Counter[tuple[int, int]] = Counter()
    for place, group in now.items():
        before = rows[place].voice_pk
        if group is not None and group < 0 and before is not None and not rows[place].kept:
            shared[group, before] += 1
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    for (group, before), _ in sorted(shared.items(), key=lambda each: (-each[1], each[0][1], -each[0][0])):
        if group not in numbers and before not in taken:
            numbers[group] = before
            taken.add(before)
    for group in sorted({group for group in now.values() if group is not None and group < 0}, reverse=True):
        if group not in numbers:
            numbers[group] = _new_voice(session)
    for place, group in now.items():
        now[place] = numbers.get(group, group) if group is not None else None


def _new_voice(session: Session) -> int:
    return int(execute(session, "INSERT INTO voice DEFAULT VALUES RETURNING id").scalar_one())


PINS = """
SELECT label, voice_pk, transcript.id AS transcript_pk, voice_pin.version = transcript.version AS is_own,
    CASE WHEN voice_pin.version <> transcript.version THEN turn_starts END AS turn_starts,
    CASE WHEN voice_pin.version <> transcript.version THEN turn_ends END AS turn_ends FROM voice_pin
JOIN video ON video.id = video_pk JOIN transcript ON {which} WHERE {where}
ORDER BY made_at, voice_pin.video_pk, label
"""
TURNS = """SELECT transcript_pk, label, turn_starts, turn_ends FROM speaker WHERE transcript_pk = ANY(:transcripts)
ORDER BY transcript_pk, label"""


def _pins(
    session: Transaction, *, sources: Sequence[int] = (), transcripts: Sequence[int] = ()
) -> dict[tuple[int, str], int | None]:
    """What people said of the speakers of these transcripts, or of the current ones of these sources: by transcript and
    label the voice, None for nobody's. The last word counts.
    """
    if transcripts:
        query = PINS.format(which="transcript.video_pk = video.id", where="transcript.id = ANY(:transcripts)")
        rows = execute(session, query, transcripts=list(transcripts)).all()
    else:
        where = f"{HOME} = ANY(:sources)"
        rows = execute(session, PINS.format(which=CURRENT, where=where), sources=list(sources)).all()
    elsewhere = sorted({row.transcript_pk for row in rows if not row.is_own})
    turns: dict[int, list[Any]] = {}
    for row in execute(session, TURNS, transcripts=elsewhere) if elsewhere else ():
        turns.setdefault(row.transcript_pk, []).append(row)
    found: dict[tuple[int, str], int | None] = {}
    for row in rows:
        label = row.label if row.is_own else _same_speaker(row, turns.get(row.transcript_pk, ()))
        if label is not None:
            found[row.transcript_pk, label] = row.voice_pk
    return found


def _same_speaker(pin: Any, speakers: Iterable[Any]) -> str | None:
    """Who speaks in another version for at least half of the time of the pinned one."""
    whole = sum(end - start for start, end in zip(pin.turn_starts, pin.turn_ends, strict=True))
    best, most = None, whole / 2
    for each in speakers:
        shared = _shared(pin, each)
        if shared > most:
            best, most = str(each.label), shared
    return best


def _shared(one: Any, other: Any) -> float:
    """Seconds that both have turns in; each one's turns are in order and do not overlap."""
    total, place = 0.0, 0
    theirs = sorted(zip(other.turn_starts, other.turn_ends, strict=True))
    for start, end in sorted(zip(one.turn_starts, one.turn_ends, strict=True)):
        while place < len(theirs) and theirs[place][1] <= start:
            place += 1
        for first, last in theirs[place:]:
            if first >= end:
                break
            total += min(end, last) - max(start, first)
    return total


# What readers see.


_KNOWING: WeakSet[Any] = WeakSet()


def has_voices(session: Transaction) -> bool:
    """Whether the schema knows them: readers do with an older one. What is served asks this once."""
    engine = getattr(session, "engine", None)
    if engine in _KNOWING:
        return True
    known = bool(execute(session, "SELECT to_regclass('speaker_voice') IS NOT NULL").scalar_one())
    if known and engine is not None:
        _KNOWING.add(engine)
    return known


def shown_names(session: Transaction, transcripts: Sequence[int]) -> dict[int, dict[str, str]]:
    """By transcript and label the names of the speakers that have one. Of an older schema none."""
    if not transcripts or not has_voices(session):
        return {}
    query = """SELECT transcript_pk, label, name FROM speaker_voice JOIN voice ON voice.id = voice_pk
        WHERE transcript_pk = ANY(:transcripts) AND name IS NOT NULL"""
    found: dict[int, dict[str, str]] = {}
    for row in execute(session, query, transcripts=list(transcripts)):
        found.setdefault(row.transcript_pk, {})[row.label] = row.name
    return found


@dataclass(frozen=True, slots=True)
class Member:
    """A speaker of a video as a part of a voice; `seconds` of all its turns, `longest` the longest one."""

    voice: int
    video_pk: int
    site: str
    video: str
    title: str
    url: str
    published: date | None
    transcript_pk: int
    version: int
    label: str
    seconds: float
    spread: float | None
    source_pk: int | None
    about: dict[str, Any]
    turn_starts: list[float]
    turn_ends: list[float]

    @property
    def longest(self) -> tuple[float, float]:
        """The longest turn, in seconds of the video."""
        turns = list(zip(self.turn_starts, self.turn_ends, strict=True))
        return max(turns, key=lambda turn: turn[1] - turn[0], default=(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice with the speakers that it is put together of, by day and video; `name` is what a person called it."""

    number: int
    name: str | None
    kept: bool
    members: list[Member] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of all turns in current transcripts."""
        return sum(each.seconds for each in self.members)

    @property
    def videos(self) -> int:
        """In how many videos it is heard."""
        return len({each.video_pk for each in self.members})

    @property
    def days(self) -> tuple[date | None, date | None]:
        """Of the first and the last video with a known day."""
        known = sorted(each.published for each in self.members if each.published)
        return (known[0], known[-1]) if known else (None, None)

    @property
    def clearest(self) -> Member | None:
        """The speaker to be listened to: the longest turn, up to what a clip takes, then who speaks most."""
        return max(
            self.members,
            key=lambda each: (min(each.longest[1] - each.longest[0], 10.0), each.seconds, each.site, each.video),
            default=None,
        )


MEMBERS = f"""
SELECT voice.id AS voice, video.id AS video_pk, video.site, video.video_id AS video, video.title, video.url,
    video.published, speaker_voice.transcript_pk, transcript.version, label, coalesce(speaker.seconds, 0) AS seconds,
    spread, source_pk, about,
    coalesce(turn_starts, '{{{{}}}}') AS turn_starts, coalesce(turn_ends, '{{{{}}}}') AS turn_ends
FROM speaker_voice JOIN voice ON voice.id = voice_pk JOIN transcript ON transcript.id = transcript_pk
JOIN video ON {CURRENT} LEFT JOIN speaker USING (transcript_pk, label)
WHERE settled AND {{where}} ORDER BY published NULLS LAST, site, video, label
"""  # noqa: S608


def members(session: Transaction, where: str = "true", **values: Any) -> list[Member]:
    """The speakers of voices in current transcripts, by day and video."""
    return [Member(**row) for row in execute(session, MEMBERS.format(where=where), **values).mappings()]


def listed(session: Transaction, channel: str | None = None) -> list[Voice]:
    """All voices, or those that are heard in a source, those who speak most first. Raises UnknownSource."""
    where, values = "true", dict[str, Any]()
    if channel is not None:
        if not listings.known_channel(session, channel):
            raise listings.unknown_channel(session, channel)
        where, values = listings.IN_CHANNEL, {"channel": clean_text(channel)}
    heard: dict[int, list[Member]] = {}
    for each in members(session, where, **values):
        heard.setdefault(each.voice, []).append(each)
    rows = execute(session, "SELECT id, name, kept FROM voice WHERE id = ANY(:voices)", voices=list(heard))
    found = [Voice(row.id, row.name, row.kept, heard[row.id]) for row in rows]
    return sorted(found, key=lambda voice: (-voice.seconds, voice.number))


# What people decide.


def one(session: Session, wanted: str) -> Voice:
    """A voice with where it is heard. Raises UsageError."""
    number = resolve(session, wanted)
    row = execute(session, "SELECT id, name, kept FROM voice WHERE id = :voice", voice=number).one()
    return Voice(row.id, row.name, row.kept, _of(session, number))


def resolve(session: Session, wanted: str, *, new: bool = False) -> int:
    """The voice that is meant by its number, its name, or one of its speakers as VIDEO/SPEAKER_00. With `new` a speaker
    without a voice, of whom too little is said or whose transcript is older than voices, gets one. Raises UsageError.
    """
    said = clean_text(wanted).strip()
    if said.isdigit() and len(said) < 19:
        found = execute(session, "SELECT id FROM voice WHERE id = :voice", voice=int(said)).scalars().all()
    else:
        found = (
            execute(session, "SELECT id FROM voice WHERE lower(name) = lower(:name) ORDER BY id", name=said)
            .scalars()
            .all()
        )
    if len(found) == 1:
        return int(found[0])
    if found:
        raise UsageError(
            f"{len(found)} voices are called {said!r}.", remedy=f"Give a number: {', '.join(map(str, found))}."
        )
    video, slash, label = said.rpartition("/")
    if slash:
        for row in _found(session, video):
            if (voice := _of_speaker(session, row.id, label, new)) is not None:
                return voice
    raise UsageError(
        f"There is no voice {said[:200]!r}.",
        remedy="`channelscribe voices` lists them; a speaker is named as VIDEO/SPEAKER_00.",
    )


def _found(session: Session, video: str) -> list[Any]:
    from channelscribe.catalogue.videos import find_videos  # which loads the ORM, for which searches have no time

    return list(find_videos(session, video))


SPEAKER = f"""
SELECT transcript_pk, label, seconds, {HOME} AS home FROM video JOIN transcript ON {CURRENT}
JOIN speaker ON transcript_pk = transcript.id WHERE video.id = :video AND label = :label
"""  # noqa: S608


def _of_speaker(session: Session, video_pk: int, label: str, new: bool) -> int | None:
    row = execute(session, SPEAKER, video=video_pk, label=label).one_or_none()
    if row is None:
        return None
    asked = {"pk": row.transcript_pk, "label": label}
    query = "SELECT voice_pk FROM speaker_voice WHERE transcript_pk = :pk AND label = :label"
    known = execute(session, query, **asked).scalar_one_or_none()
    if known is not None or not new:
        return None if known is None else int(known)
    voice = _new_voice(session)
    execute(
        session,
        """INSERT INTO speaker_voice (transcript_pk, label, seconds, settled, source_pk, voice_pk)
        VALUES (:pk, :label, :seconds, true, :home, :voice) ON CONFLICT (transcript_pk, label) DO UPDATE
        SET voice_pk = :voice, source_pk = :home, settled = true""",
        seconds=row.seconds,
        home=row.home,
        voice=voice,
        **asked,
    )
    return voice


KEEP = """
INSERT INTO voice_pin (video_pk, version, label, turn_starts, turn_ends, voice_pk, made_by)
SELECT * FROM unnest(CAST(:videos AS bigint[]), CAST(:versions AS int[]), CAST(:labels AS text[])) AS pinned
    (video_pk, version, label)
CROSS JOIN LATERAL (SELECT coalesce(max(turn_starts), '{}'), coalesce(max(turn_ends), '{}') FROM speaker
    JOIN transcript ON transcript.id = transcript_pk WHERE transcript.video_pk = pinned.video_pk
    AND transcript.version = pinned.version AND speaker.label = pinned.label) AS turns
CROSS JOIN (SELECT CAST(:voice AS bigint), CAST(:who AS text)) AS said
ON CONFLICT (video_pk, version, label) DO UPDATE SET voice_pk = excluded.voice_pk, made_by = excluded.made_by,
    made_at = now(), turn_starts = excluded.turn_starts, turn_ends = excluded.turn_ends
"""


def _pin(session: Session, found: Sequence[Member], voice: int | None, who: str) -> None:
    if voice is not None:
        statement = "UPDATE voice SET kept = true, changed_by = :who, changed_at = now() WHERE id = :voice"
        execute(session, statement, voice=voice, who=who)
    execute(
        session,
        KEEP,
        videos=[each.video_pk for each in found],
        versions=[each.version for each in found],
        labels=[each.label for each in found],
        voice=voice,
        who=who,
    )


def _again(session: Session, found: Iterable[Member]) -> None:
    """Pins have changed: all voices of the sources are put together anew."""
    for source in sorted({each.source_pk for each in found if each.source_pk is not None}):
        _regroup(session, source, whole=True)


def _of(session: Session, voice: int) -> list[Member]:
    return members(session, "voice.id = :voice", voice=voice)


def name(session: Session, voice: str, called: str, who: str) -> int:
    """Call a voice by a person's name, in all its videos and those to come; an empty name takes it back.

    Returns its number. Raises UsageError for one that is not there, and for a name that is no name.
    """
    called = " ".join(clean_text(called).split())
    if len(called) > LONGEST_NAME or called.isdigit():
        raise UsageError(f"{called[:80]!r} cannot be a name.", remedy="Give the name of a person.")
    _lock(session)
    number = resolve(session, voice, new=True)
    found = _of(session, number)
    _pin(session, found, number, who)
    execute(session, "UPDATE voice SET name = :name WHERE id = :voice", voice=number, name=called or None)
    _again(session, found)
    return number


def merge(session: Session, voices: Sequence[str], who: str) -> int:
    """Say that several voices are one person, whatever sources they are in; the first one's number stays, and the first
    name that one of them has. Returns the number. Raises UsageError.
    """
    _lock(session)
    numbers = list(dict.fromkeys(resolve(session, each, new=True) for each in voices))
    if len(numbers) < 2:
        raise UsageError("Merging takes two voices.", remedy="`channelscribe voices` lists them.")
    first, *others = numbers
    rows = {row.id: row.name for row in execute(session, "SELECT id, name FROM voice WHERE id = ANY(:v)", v=numbers)}
    called = next((rows[number] for number in numbers if rows[number]), None)
    found = [each for number in numbers for each in _of(session, number)]
    _pin(session, found, first, who)
    # What older versions know of them, too.
    moved = {"first": first, "others": others}
    execute(session, "UPDATE voice_pin SET voice_pk = :first WHERE voice_pk = ANY(:others)", **moved)
    execute(session, "UPDATE speaker_voice SET voice_pk = :first WHERE voice_pk = ANY(:others)", **moved)
    execute(session, "DELETE FROM voice WHERE id = ANY(:others)", others=others)
    execute(session, "UPDATE voice SET name = :name WHERE id = :voice", name=called, voice=first)
    _again(session, found)
    return first


def split(session: Session, voice: str, videos: Sequence[str], who: str) -> int:
    """Say that in these videos it is somebody else; returns the number of the new voice. Raises UsageError."""
    _lock(session)
    number = resolve(session, voice)
    wanted = {row.id for each in videos for row in _found(session, each)}
    found = _of(session, number)
    parted = [each for each in found if each.video_pk in wanted]
    left = [each for each in found if each.video_pk not in wanted]
    if not parted or not left:
        what = "is in none of these videos" if not parted else "is in no other video"
        raise UsageError(f"Voice {number} {what}.", remedy=f"`channelscribe voices {number}` tells where it is heard.")
    other = _new_voice(session)
    _pin(session, left, number, who)
    _pin(session, parted, other, who)
    _again(session, found)
    return other


VECTORS_OF = """
SELECT video_pk, vector FROM speaker_voice JOIN transcript ON transcript.id = transcript_pk
    WHERE voice_pk = ANY(:voices)
UNION ALL SELECT video_pk, NULL FROM voice_pin WHERE voice_pk = ANY(:voices)
"""


def vectors_of(session: Session, voices: Sequence[str]) -> tuple[list[int], set[bytes]]:
    """The videos of voices, and their vectors in all versions. Raises UsageError."""
    rows = execute(session, VECTORS_OF, voices=[resolve(session, each) for each in voices]).all()
    return sorted({row.video_pk for row in rows}), {bytes(row.vector) for row in rows if row.vector is not None}


def forget(session: Session, voices: Sequence[str], who: str) -> list[int]:
    """Delete the vectors and the names of voices, in all versions, and remember that their speakers are to have none.

    Returns their numbers. Raises UsageError.
    """
    _lock(session)
    numbers = list(dict.fromkeys(resolve(session, each) for each in voices))
    found = members(session, "voice.id = ANY(:voices)", voices=numbers)
    _pin(session, found, None, who)
    execute(
        session,
        "UPDATE voice_pin SET voice_pk = NULL, made_by = :who, made_at = now() WHERE voice_pk = ANY(:voices)",
        voices=numbers,
        who=who,
    )
    execute(session, FORGET_VOICES, voices=numbers)
    execute(session, "DELETE FROM voice WHERE id = ANY(:voices)", voices=numbers)
    _again(session, found)
    return numbers


FORGET_VOICES = """
UPDATE speaker_voice SET vector = NULL, embedder = NULL, spread = NULL, voice_pk = NULL WHERE voice_pk = ANY(:voices)
"""


def forget_video(session: Session, video_pk: int) -> None:
    """Before a video's transcripts are deleted for good: its voices are those of the others, without it."""
    _lock(session)
    rows = execute(
        session,
        """SELECT DISTINCT voice_pk, source_pk FROM speaker_voice JOIN transcript ON transcript.id = transcript_pk
        WHERE video_pk = :video UNION SELECT voice_pk, NULL FROM voice_pin WHERE video_pk = :video""",
        video=video_pk,
    ).all()
    execute(session, "DELETE FROM voice_pin WHERE video_pk = :video", video=video_pk)
    execute(
        session,
        "DELETE FROM speaker_voice USING transcript WHERE transcript.id = transcript_pk AND video_pk = :video",
        video=video_pk,
    )
    for source in sorted({row.source_pk for row in rows if row.source_pk is not None}):
        _regroup(session, source, whole=True)
    # Whoever is heard nowhere any more is not named any more.
    execute(
        session,
        """DELETE FROM voice WHERE id = ANY(:voices)
        AND NOT EXISTS (SELECT FROM speaker_voice WHERE voice_pk = voice.id)
        AND NOT EXISTS (SELECT FROM voice_pin WHERE voice_pk = voice.id)""",
        voices=sorted({row.voice_pk for row in rows if row.voice_pk is not None}),
    )
