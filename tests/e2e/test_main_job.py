"""The main job as a user runs it: `demo`, `sync`, `search`, `show`, on the shared stack, with the real engines.

The first test transcribes the whole sample channel; the others look at what is in the library then.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest

from channelscribe.catalogue import transcripts, videos, voices
from channelscribe.catalogue.connection import Database
from channelscribe.evaluation.metrics import word_error_rate
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.sample.server import SampleServer
from channelscribe.transcript import Transcript
from tests.conftest import ON_SAMPLE, Cli, Ended

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]

SPOKEN = [episode for episode in world.episodes() if episode.script.words]
LARGEST_WER = 0.05


def transcript(library: Database, episode: world.Episode) -> Transcript:
    return library.run(transcripts.transcript_of, episode.id)[2]


def test_the_demo_shows_what_it_did(demo: Ended, library: Database) -> None:
    assert demo.code == 0, str(demo)
    errors = [word_error_rate(each.script.text, transcript(library, each).text) for each in world.episodes()]
    total = sum(each.substitutions + each.deletions + each.insertions for each in errors)
    words = sum(each.reference_words for each in errors)
    assert f"Word error rate over all {words} words of the scripts: {total / words:.2%}" in demo.out
    assert f"{len(world.episodes())} published now" in demo.out
    assert re.search(r"\d:\d\d  SPEAKER_00: ", demo.out)
    assert re.search(r"\d:\d\d  SPEAKER_01: ", demo.out)
    assert re.search(r"Search for .*: “.*” at \d+:\d\d", demo.out)
    assert "know only the sample's voices" in demo.out
    assert "channelscribe search" in demo.out


def test_progress_can_be_followed_and_engines_are_quiet(demo: Ended) -> None:
    for word in ("downloading", "transcribing", "done"):
        assert word in demo.err
    for noise in ("Traceback", "WARNING", "INFO", "httpx", "| prefect", "distributed"):
        assert noise not in demo.err
        assert noise not in demo.out


def test_the_demo_again_does_nothing_and_says_so(demo: Ended, cli: Cli) -> None:
    again = cli("demo")
    assert again.code == 0, str(again)
    assert "nothing was downloaded and nothing was transcribed" in again.out
    started = "Starting the Prefect server"
    assert started in demo.err and started not in again.err
    assert f"0 published now, {len(world.episodes())} already there" in again.out


@pytest.mark.parametrize("episode", SPOKEN, ids=lambda episode: episode.id)
def test_each_transcript_matches_its_script(library: Database, episode: world.Episode) -> None:
    errors = word_error_rate(episode.script.text, transcript(library, episode).text)
    assert errors.rate <= LARGEST_WER, errors


@pytest.mark.parametrize("episode", SPOKEN, ids=lambda episode: episode.id)
def test_words_have_times_in_order_inside_the_episode(library: Database, episode: world.Episode) -> None:
    words = transcript(library, episode).words
    assert all(word.start <= word.end <= episode.duration + 0.1 for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert sum(word.aligned for word in words) / len(words) > 0.9


def test_an_episode_without_speech_has_an_empty_transcript(library: Database) -> None:
    silent = next(episode for episode in world.episodes() if not episode.script.words)
    made = transcript(library, silent)
    assert made.no_speech
    assert made.segments == []


@pytest.mark.parametrize(
    "episode", [each for each in SPOKEN if len(each.script.speakers) == 2], ids=lambda episode: episode.id
)
def test_speakers_of_a_dialogue(library: Database, episode: world.Episode) -> None:
    made = transcript(library, episode)
    assert len(made.speakers) == 2
    right = [speaker_of(word.start, word.end, episode) for word in made.words]
    heard = [word.speaker for word in made.words]
    best = max(
        sum(dict(zip(made.speakers, names, strict=True)).get(h or "") == r for h, r in zip(heard, right, strict=True))
        for names in permutations(episode.script.speakers)
    )
    assert best / len(right) >= 0.9


def test_people_of_the_sample_are_voices(library: Database) -> None:
    """No person in two voices, no voice with two people: the sample's are those of its synthesizer."""
    rows = {library.run(videos.find_videos, episode.id)[0].id: episode for episode in SPOKEN}
    found = set()
    for voice in library.run(voices.listed):
        for member in voice.members:
            if (episode := rows.get(member.video_pk)) is not None:
                said = [word for word in transcript(library, episode).words if word.speaker == member.label]
                who, _ = Counter(speaker_of(word.start, word.end, episode) for word in said).most_common(1)[0]
                person = next(turn.voice for turn in episode.script.turns if turn.speaker == who)
                found.add((voice.number, (member.source_pk, person)))
    assert len({number for number, _ in found}) == len({person for _, person in found}) == len(found) > 1


def speaker_of(start: float, end: float, episode: world.Episode) -> str:
    middle = (start + end) / 2
    return min(episode.script.words, key=lambda word: abs((word.start + word.end) / 2 - middle)).speaker


def test_each_exported_file_parses(library: Database, data_dir: Path) -> None:
    root = data_dir / "library"
    for episode in SPOKEN:
        row, version, made = library.run(transcripts.transcript_of, episode.id)
        files = {name: root / key for name, key in version.files.items()}
        assert set(files) == {"txt", "srt", "vtt", "tsv", "json"}
        whole = json.loads(files["json"].read_text(encoding="utf-8"))
        assert [word["word"] for word in whole["word_segments"]] == [word.text for word in made.words]
        assert {"segments", "word_segments", "language"} <= set(whole)
        cues = re.findall(r"^(\d\d:\d\d:\d\d,\d{3}) --> (\d\d:\d\d:\d\d,\d{3})$", files["srt"].read_text(), re.M)
        assert cues
        assert all(start < end for start, end in cues)
        assert cues == sorted(cues)
        assert files["vtt"].read_text().startswith("WEBVTT")
        rows = list(csv.DictReader(io.StringIO(files["tsv"].read_text()), delimiter="\t"))
        assert list(rows[0]) == ["start", "end", "text"]
        assert all(int(each["start"]) <= int(each["end"]) for each in rows)
        assert made.segments[0].text.strip() in files["txt"].read_text()
        audio = library.run(videos.audio_of, row.id)
        assert audio is not None
        assert (root / audio.archive_key).suffix == ".mp3"
        assert (root / audio.archive_key).stat().st_size == audio.bytes
        assert abs(audio.seconds - episode.duration) < 0.1
        assert list((root / "processed" / "feed").glob(f"{episode.id}-*/*.json"))


def test_rows_in_postgresql(library: Database, stack: LocalStack) -> None:
    import psycopg

    ids = [episode.id for episode in world.episodes()]  # other tests share this library
    # The demo was the first here to list these guids.
    of_demo = "guid = ANY(%s) AND feed = (SELECT feed FROM video WHERE guid = 'night-train' ORDER BY id LIMIT 1)"
    current = f"FROM video JOIN {{table}} ON current_transcript_pk = transcript_pk WHERE {of_demo}"
    with psycopg.connect(stack.addresses.database_url or "") as connection:
        states = connection.execute(
            f"SELECT state, lease_owner, count(*) FROM video WHERE {of_demo} GROUP BY 1, 2",  # noqa: S608
            [ids],
        ).fetchall()
        words = connection.execute(
            "SELECT sum(cardinality(word_texts)) " + current.format(table="segment"), [ids]
        ).fetchone()
        labels = connection.execute("SELECT DISTINCT label " + current.format(table="entity"), [ids]).fetchall()
        sentences = connection.execute("SELECT count(*) " + current.format(table="sentence"), [ids]).fetchone()
    assert states == [("published", None, len(ids))]
    assert words == (sum(len(transcript(library, each).words) for each in world.episodes()),)
    assert {"PERSON", "GPE", "ORG"} <= {label for (label,) in labels}
    assert sentences is not None
    assert sentences[0] >= sum(len(episode.script.sentences) for episode in SPOKEN) * 0.9


def test_a_sync_of_what_is_known_asks_for_no_media(library: Database, cli: Cli) -> None:
    with SampleServer() as server:
        done = cli("sync", server.feed_url, "--json", *ON_SAMPLE)
        asked = server.media_requests
    assert done.code == 0, str(done)
    assert done.json["published"] == 0
    assert done.json["listed"] == done.json["skipped"] == len(world.episodes())
    assert done.json["failures"] == []
    assert asked == []


def test_search_finds_a_name_at_its_second(library: Database, cli: Cli) -> None:
    episode, entity = next(
        (each, name) for each in SPOKEN for name in each.script.entities if name.label == "GPE" and name.start > 5
    )
    found = cli("search", entity.text, "--json", "--limit", "100")
    assert found.code == 0, str(found)
    hits = [hit for hit in found.json["hits"] if hit["video"].startswith(f"{episode.id}-")]
    assert any(hit["start"] - 1 <= entity.start <= hit["end"] + 1 for hit in hits)
    told = {"video", "title", "start", "end", "speaker", "text", "url"}
    assert all(
        set(hit) == told or (set(hit) == told | {"by", "answer"} and (hit["answer"] or "") in hit["text"])
        for hit in hits
    )
    assert all(hit["url"].endswith(f"#t={int(hit['start'])}") for hit in hits)
    assert cli("search", "xylophone").out.startswith("No hit")


def test_show_prints_each_format(library: Database, cli: Cli) -> None:
    episode = SPOKEN[0]
    made = transcript(library, episode)
    shown = cli("show", episode.id)
    assert made.segments[0].text.strip() in shown.out
    assert json.loads(cli("show", episode.id, "--format", "json").out)["language"] == "en"
    missing = cli("show", "no-such-video")
    assert (missing.code, missing.out) == (1, "")
    assert "no-such-video" in missing.err
    assert "Traceback" not in missing.err


def test_status_entities_and_doctor(library: Database, cli: Cli) -> None:
    assert cli("status", "--json").json["states"]["published"] >= len(world.episodes())
    entities = cli("entities", "--json", "--label", "PERSON").json["entities"]
    assert entities
    assert {entity["label"] for entity in entities} == {"PERSON"}
    doctor = cli("doctor", "--json", "--set", "speech.model=sample", "--set", "text.models={en: sample}")
    assert doctor.code == 0, str(doctor)
    said = " ".join(finding["detail"] for finding in doctor.json["findings"])
    assert "knows only the sample's voices" in said


def test_files_lost_from_the_cache_are_not_needed_again(library: Database, cli: Cli, data_dir: Path) -> None:
    """Without Prefect's results a known channel is still known: the catalogue is the truth."""
    results = data_dir / "library" / "results"
    assert list(results.iterdir())
    moved = data_dir / "moved-results"
    shutil.move(results, moved)
    try:
        with SampleServer() as server:
            done = cli("sync", server.feed_url, "--json", *ON_SAMPLE)
            assert (done.json["published"], server.media_requests) == (0, [])
    finally:
        shutil.move(moved, results)
