"""The command `voices`, as a person types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from channelscribe.catalogue import videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack.places import places_of
from channelscribe.sample import world
from channelscribe.store import MediaStore
from tests.catalogue.test_voices import THREE, _heard, _publish
from tests.databases import NewDatabase
from tests.flows.test_reading_commands import Answer, answer

__all__ = ["NewDatabase", "answer"]


@pytest.fixture
def library(catalogue: Database) -> Database:
    for video, people in THREE.items():
        _publish(catalogue, video, **people)
    return catalogue


def _listed(answer: Answer, *more: str) -> list[dict[str, object]]:
    code, out, _ = answer("voices", "--json", *more)
    assert code == 0
    return list(json.loads(out)["voices"])


def test_list_name_merge_split(library: Database, answer: Answer) -> None:
    bob, ada, eve = _listed(answer)
    assert (bob["videos"], ada["videos"], eve["videos"]) == (3, 2, 1)
    assert bob["seconds"] == 30.0 and bob["first"] == bob["last"] == "2024-05-01"
    clip = ada["clip"]
    assert isinstance(clip, dict) and clip["end"] - clip["start"] == 10 and clip["url"].endswith("t=0s")
    code, out, err = answer("voices", "name", str(ada["voice"]), "Ada Lovelace")
    assert (code, out, err) == (0, f"Voice {ada['voice']} is Ada Lovelace.\n", "")
    assert "Ada Lovelace" in answer("show", "v1")[1]
    assert "Ada Lovelace" in answer("show", "v3", "--format", "srt")[1]
    hits = json.loads(answer("search", "words", "--speaker", "Ada Lovelace", "--json")[1])["hits"]
    assert {(hit["video"], hit["speaker"]) for hit in hits} == {("v1", "Ada Lovelace"), ("v3", "Ada Lovelace")}
    lines = answer("export", "Channel One")[1].splitlines()
    assert {json.loads(line)["speaker"] for line in lines} == {"Ada Lovelace", "S0", "S1"}
    assert len(_listed(answer, "--unknown")) == 2 and len(_listed(answer, "--limit", "1")) == 1
    assert len(_listed(answer, "--source", "Channel One")) == 3
    assert answer("voices", "merge", "Ada Lovelace", "v2/S1")[:2] == (0, f"They are voice {ada['voice']}.\n")
    code, out, _ = answer("voices", "show", "Ada Lovelace")
    assert code == 0 and all(video in out for video in THREE)
    assert answer("voices", "split", "Ada Lovelace", "v3")[0] == 0
    assert [each["videos"] for each in _listed(answer)] == [3, 2, 1]
    code, out, _ = answer("voices")
    assert code == 0 and "Ada Lovelace" in out


@pytest.mark.parametrize("wrong", [("name", "1"), ("merge", "1"), ("show",), ("forget",), ("list", "1")])
def test_wrong_usage(library: Database, answer: Answer, wrong: tuple[str, ...]) -> None:
    code, out, err = answer("voices", *wrong)
    assert (code, out) == (2, "") and "Such as: channelscribe voices" in err


def test_forget_takes_it_from_the_store_too(library: Database, answer: Answer, tmp_path: Path) -> None:
    store = MediaStore(str(places_of(tmp_path / "data").library))
    (row,) = library.run(videos.find_videos, "v1")
    key = "checkpoints/voices/" + "0" * 12 + ".json"
    with library.session() as session:
        vectors = execute(session, "SELECT label FROM speaker_voice WHERE vector IS NOT NULL").all()
        execute(session, "INSERT INTO checkpoint VALUES (:video, :key)", video=row.id, key=key)
    assert len(vectors) == 6
    store.put_json(_heard(**THREE["v1"]), key)
    code, _, err = answer("voices", "forget", "v1/S0")
    assert code == 0 and err.startswith("Nothing is forgotten yet.") and len(_listed(answer)) == 3
    assert answer("voices", "forget", "v1/S0", "--yes")[0] == 0
    assert list(store.read_json(key)["voices"]) == ["S1"]
    assert len(_listed(answer)) == 2
    assert answer("voices", "forget", "--source", "Channel One")[2].startswith("2 voices; nothing is forgotten yet.")
    assert answer("voices", "forget", "--source", "Channel One", "--yes")[1] == "2 voices are forgotten.\n"
    assert _listed(answer) == [] and store.read_json(key)["voices"] == {}


def test_clips_are_cut_from_the_archive(library: Database, answer: Answer, tmp_path: Path) -> None:
    sound = next(iter(sorted((world.models_dir().parent / "media").glob("*.mp3"))))
    archive = places_of(tmp_path / "data").library / "audio_files" / "youtube" / "v1.mp3"
    archive.parent.mkdir(parents=True)
    shutil.copy(sound, archive)
    with library.session() as session:
        execute(
            session,
            """INSERT INTO audio (video_pk, source_sha256, options_key, seconds, bytes, archive_key, speech_key,
            speech_sha256) SELECT id, 'a', 'b', 60, 1, 'audio_files/youtube/v1.mp3', 'k', 'c' FROM video""",
        )
    made = [each["clip"] for each in _listed(answer, "--clips", str(tmp_path / "clips"))]
    files = [Path(str(each["file"])) for each in made if isinstance(each, dict) and each.get("file")]
    assert files and all(file.stat().st_size > 10_000 for file in files)
