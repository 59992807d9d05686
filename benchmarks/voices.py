"""Who is who: ten thousand speakers put together, and how well real people are told apart.

    make bench NAME=voices

SPEAKERS speakers in a PostgreSQL of its own: half of them one host, the others guests of whom some come again, each
with a vector drawn near that of the person. A puts all of them together and writes it; B does so for one new video.
The peak of memory is that of the grouping alone, for a quarter of them and for all. Where `../shared/real-speech` (or
REAL_SPEECH) is there, the open diarizer's vectors of real people follow, each of about four seconds: readers in pieces,
put together; and equal error rates, of pairs within a talk (a telephone, two meetings) and of all pairs.
"""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import print_report
from channelscribe.catalogue import schema, voices
from channelscribe.catalogue.connection import Database, driver_connection, execute
from channelscribe.catalogue.voice_groups import Speaker, group, threshold_of
from channelscribe.local_stack.postgres import temporary_server

SPEAKERS, DIMENSIONS, EMBEDDER = 10_000, 256, "ge2e/1"
ROOT = Path(__file__).parents[1]
RECORDINGS = Path(os.environ.get("REAL_SPEECH", ROOT.parent / "shared" / "real-speech"))
TALKS = ("talk/telephone", "talk/ami-dev00", "talk/ami-dev01")
PIECE = 4.1  # seconds
Piece = tuple[str, list[tuple[float, float]]]
"""Who says it, and the stretches in seconds."""
Pair = tuple[float, bool]

LIBRARY = """
INSERT INTO source (site, source_id, url, title) VALUES ('youtube', 'UC1', 'https://example.org/1', 'One');
INSERT INTO video (site, video_id, url, title, state) SELECT 'youtube', 'v' || lpad(CAST(n AS text), 6, '0'),
    'https://example.org/v' || n, 'Video ' || n, 'published' FROM generate_series(1, :videos) AS n;
INSERT INTO source_video (source_pk, video_pk) SELECT 1, id FROM video;
INSERT INTO transcript (video_pk, transcript_id, version, language, duration)
    SELECT id, 't' || id, 1, 'en', 3600 FROM video;
UPDATE video SET current_transcript_pk = transcript.id FROM transcript WHERE video_pk = video.id;
"""


def people(count: int) -> tuple[NDArray[np.float32], list[int]]:
    """Vectors of two speakers a video, the host and a guest, and who they are."""
    generator = np.random.default_rng(0)
    voices_of = _unit(generator.normal(size=(count // 4, DIMENSIONS)) + 0.7 * generator.normal(size=DIMENSIONS))
    who = [0 if n % 2 == 0 else int(generator.integers(1, count // 4)) for n in range(count)]
    noise = _unit(generator.normal(size=(count, DIMENSIONS)))
    return _unit(voices_of[who] + 0.45 * noise), who


def _unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def megabytes(count: int) -> float:
    """What the grouping takes at its peak beyond its input, as numpy and Python tell it."""
    vectors, _ = people(count)
    speakers = [Speaker((f"{n // 2:06}", str(n % 2)), n // 2) for n in range(count)]
    tracemalloc.start()
    group(speakers, vectors, threshold_of(EMBEDDER))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def in_catalogue(catalogue: Database) -> dict[str, float]:
    schema.migrate(catalogue)
    vectors, who = people(SPEAKERS)
    with catalogue.session() as session:
        for statement in LIBRARY.split(";\n"):
            if statement.strip():
                execute(session, statement, **({"videos": SPEAKERS // 2} if ":videos" in statement else {}))
        rows = [(1 + n // 2, f"S{n % 2}", EMBEDDER, vectors[n].tobytes(), 60.0, 0.1) for n in range(SPEAKERS)]
        driver_connection(session).cursor().executemany(voices.ADD, rows[:-2])
        execute(session, "ANALYZE")
    started = time.perf_counter()
    catalogue.run(voices.regroup_all)
    assigned = time.perf_counter()
    with catalogue.session() as session:
        driver_connection(session).cursor().executemany(voices.ADD, rows[-2:])
    arrived = time.perf_counter()
    catalogue.run(voices.regroup_of, SPEAKERS // 2)
    done = time.perf_counter()
    with catalogue.session() as session:
        rows_now = execute(session, "SELECT transcript_pk, label, voice_pk FROM speaker_voice").all()
    found = {2 * (row.transcript_pk - 1) + int(row.label[1:]): row.voice_pk for row in rows_now}
    whole = _parts(found.items())
    truth = _parts(enumerate(who))
    catalogue.close()
    return {
        "voices.seconds": assigned - started,
        "voices.arrival_seconds": done - arrived,
        "voices.wrong": len(whole ^ truth),
    }


def _parts(of: Iterable[tuple[int, Any]]) -> set[frozenset[int]]:
    """Who is with whom."""
    parts: dict[Any, set[int]] = {}
    for member, whole in of:
        parts.setdefault(whole, set()).add(member)
    return {frozenset(each) for each in parts.values()}


def real_people() -> dict[str, float]:
    import soundfile  # type: ignore[import-untyped]

    from channelscribe.settings import SpeechOptions
    from channelscribe.speech.registry import OPEN_DIARIZER, resolve_model
    from channelscribe.speech.voices import alone, hear

    options = SpeechOptions(model="sample", device="cpu")
    model = replace(resolve_model(options), diarizer=OPEN_DIARIZER)

    def heard(audio: Any, pieces: list[Piece]) -> list[tuple[str, list[float]]]:
        found = []
        for name, spans in pieces:
            turns = [{"start": start, "end": end, "speaker": "S"} for start, end in spans]
            voice = hear(audio, turns, model, options)["voices"]["S"]
            if voice["vector"] is not None:
                found.append((name, voice["vector"]))
        return found

    readers: list[tuple[str, list[float]]] = []
    for path in sorted((RECORDINGS / "read").glob("*.flac")):
        audio, _ = soundfile.read(path, dtype="float32")
        readers += heard(audio, _pieces(path.stem[:3], [(0.0, len(audio) / 16_000)], PIECE))
    names = [name for name, _ in readers]
    speakers = [Speaker((f"{n:06}",), n) for n in range(len(readers))]
    groups = group(speakers, np.array([v for _, v in readers], np.float32), threshold_of(EMBEDDER))
    figures = {
        "voices.reader_pieces": len(readers),
        "voices.readers_wrong": len(_parts(enumerate(names)) ^ {frozenset(each) for each in groups}),
        "voices.readers_eer": equal_error_rate(pairs_of(readers)),
    }
    pairs: list[Pair] = []
    everybody = list(readers)
    for talk in TALKS:
        audio, _ = soundfile.read(RECORDINGS / f"{talk}.flac", dtype="float32")
        lines = [line.split() for line in (RECORDINGS / f"{talk}.rttm").read_text(encoding="utf-8").splitlines()]
        turns = [{"start": float(f[3]), "end": float(f[3]) + float(f[4]), "speaker": f[7]} for f in lines if f]
        said = heard(audio, [each for who, spans in alone(turns).items() for each in _pieces(who, spans, PIECE)])
        pairs += pairs_of(said)
        everybody += [(f"{talk} {who}", vector) for who, vector in said]
    figures["voices.talk_pieces"] = len(everybody) - len(readers)
    figures["voices.talk_eer"] = equal_error_rate(pairs)
    figures["voices.all_eer"] = equal_error_rate(pairs_of(everybody))
    return figures


def _pieces(name: str, spans: list[tuple[float, float]], length: float) -> list[Piece]:
    """What somebody says alone in pieces of this many seconds, of several stretches where those are short."""
    pieces: list[Piece] = []
    piece: list[tuple[float, float]] = []
    for start, end in spans:
        at = start
        while end - at >= 1:
            missing = length - sum(last - first for first, last in piece)
            piece.append((at, min(end, at + max(missing, 1))))
            at = piece[-1][1]
            if sum(last - first for first, last in piece) >= length - 1e-6:
                pieces.append((name, piece))
                piece = []
    return pieces


def pairs_of(heard: list[tuple[str, list[float]]]) -> list[Pair]:
    """The cosine of each pair, and whether it is one person."""
    return [(float(np.dot(one, other)), a == b) for (a, one), (b, other) in combinations(heard, 2)]


def equal_error_rate(pairs: list[Pair]) -> float:
    """Where as many pairs of one person are refused as of two people are taken for one."""
    same = np.array([cosine for cosine, alike in pairs if alike])
    apart = np.array([cosine for cosine, alike in pairs if not alike])
    rates = [(float((same < t).mean()), float((apart >= t).mean())) for t in sorted({cosine for cosine, _ in pairs})]
    return min((abs(one - other), (one + other) / 2) for one, other in rates)[1]


GOAL = {
    "voices.seconds": "<= 60",
    "voices.wrong": "<= 0",
    "voices.megabytes": "<= 200",
    "voices.megabytes_over_quarter": "<= 5",
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="channelscribe-bench-") as folder:
        Path(folder).chmod(0o755)
        with temporary_server(Path(folder) / "postgres") as server:
            figures = in_catalogue(Database(server.url))
    few, many = megabytes(SPEAKERS // 4), megabytes(SPEAKERS)
    figures |= {"voices.megabytes": many, "voices.megabytes_over_quarter": many / max(few, 1.0)}
    goal = dict(GOAL)
    if RECORDINGS.is_dir():
        figures |= real_people()
        goal["voices.readers_wrong"] = "<= 0"
    else:
        print(f"voices: no recordings of real people at {RECORDINGS}.")
    rows = [[name.partition(".")[2], f"{figure:.3f}"] for name, figure in figures.items()]
    print_report("voices", [f"{SPEAKERS} speakers", ""], rows, figures, goal)


if __name__ == "__main__":
    main()
