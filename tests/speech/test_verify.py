"""Nothing is unpickled that nobody vouched for, and a planted pickle never runs."""

from __future__ import annotations

import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from channelscribe.errors import ModelTampered
from channelscribe.files import sha256_file
from channelscribe.sample import world
from channelscribe.settings import SpeechModel, SpeechOptions
from channelscribe.speech.loading import load_aligner, load_diarizer, load_recognizer
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.verify import verify_fetched, verify_own, verify_pipeline


class _Planted:
    """Unpickling it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def _plant(file: Path, mark: Path) -> None:
    """A checkpoint as torch writes it, whose pickle has a payload."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Planted(mark), protocol=2))


def _copy(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.speech
def test_a_model_folder_with_a_planted_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    models = world.models_dir()
    recognizer, aligner = _copy(models / "whisper.en", tmp_path / "r.en"), _copy(models / "align", tmp_path / "a")
    (aligner / "model.safetensors").unlink()
    _plant(aligner / "pytorch_model.bin", mark)
    _plant(recognizer / "extra.dat", mark)
    diarizer = tmp_path / "d"
    _plant(diarizer / "embedding" / "pytorch_model.bin", mark)
    (diarizer / "config.yaml").write_text("pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization}")
    entry = SpeechModel(recognizer=str(recognizer), aligner=str(aligner), diarizer=str(diarizer))
    options = SpeechOptions(model="own", device="cpu", models={"own": entry})
    model = resolve_model(options)

    for load in (
        lambda: load_recognizer(model, options),
        lambda: load_aligner(model, "en", options),
        lambda: load_diarizer(model, options),
    ):
        with pytest.raises(ModelTampered, match="is a pickle") as caught:
            load()
        assert "safetensors" in caught.value.remedy
        assert "speech.models.own.sha256" in caught.value.remedy
    assert not mark.exists()
    pickle.loads(pickle.dumps(_Planted(mark)))
    assert mark.exists()  # the payload would have worked


@pytest.mark.speech
def test_own_folders_without_pickles_load(tmp_path: Path) -> None:
    models = world.models_dir()
    entry = SpeechModel(
        recognizer=str(_copy(models / "whisper.en", tmp_path / "r.en")),
        aligner=str(_copy(models / "align", tmp_path / "a")),
        sha256={"model.safetensors": sha256_file(models / "align" / "model.safetensors")},
    )
    options = SpeechOptions(model="own", device="cpu", models={"own": entry})
    assert load_recognizer(resolve_model(options), options)
    assert load_aligner(resolve_model(options), "en", options)


@pytest.mark.speech
def test_an_own_diarizer_with_pinned_networks_loads(tmp_path: Path) -> None:
    models = world.models_dir() / "diarize"
    spec = find_spec("whisperx")
    assert spec
    assert spec.submodule_search_locations
    segmentation = Path(spec.submodule_search_locations[0]) / "assets" / "pytorch_model.bin"
    folder = tmp_path / "diarizer"
    _copy(models / "embedding", folder / "embedding")
    _copy(models / "plda", folder / "plda")
    (folder / "segmentation").mkdir()
    (folder / "segmentation" / "pytorch_model.bin").write_bytes(segmentation.read_bytes())
    (folder / "config.yaml").write_text(
        "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization, params: {clustering: AgglomerativeClustering, "
        "segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}}\n"
        "params: {segmentation: {threshold: 0.5, min_duration_off: 0.5}, "
        "clustering: {method: centroid, min_cluster_size: 4, threshold: 0.7}}"
    )
    known = {
        "segmentation/pytorch_model.bin": sha256_file(segmentation),
        "embedding/pytorch_model.bin": sha256_file(models / "embedding" / "pytorch_model.bin"),
    }
    entry = SpeechModel(recognizer="small", diarizer=str(folder), sha256=known)
    options = SpeechOptions(model="own", device="cpu", models={"own": entry})
    assert load_diarizer(resolve_model(options), options)


def test_a_pinned_file_must_be_what_its_sum_says(tmp_path: Path) -> None:
    file = tmp_path / "pytorch_model.bin"
    _plant(file, tmp_path / "ran")
    known = {"pytorch_model.bin": sha256_file(file)}
    verify_own(tmp_path, known, "own")  # somebody vouched for it
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ModelTampered, match="not the one"):
        verify_own(tmp_path, known, "own")


@pytest.mark.parametrize("data", [b"\x80\x04N.", b"cos\nsystem\n(S'true'\ntR.", b"\x80\x02}q\x00."])
def test_old_and_raw_pickles_are_seen(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "weights.ckpt").write_bytes(data)
    for verify in (verify_own, verify_fetched):
        with pytest.raises(ModelTampered):
            verify(tmp_path, {}, "own")


def test_from_the_hub_checkpoints_pass_and_planted_ones_do_not(tmp_path: Path) -> None:
    spec = find_spec("whisperx")
    assert spec
    assert spec.submodule_search_locations
    for folder in (Path(spec.submodule_search_locations[0]) / "assets", world.models_dir() / "diarize"):
        verify_fetched(folder, {}, "hub")  # real checkpoints, of 2023 and of this year
    _plant(tmp_path / "pytorch_model.bin", tmp_path / "ran")
    with pytest.raises(ModelTampered, match=r"names __builtin__\.exec"):
        verify_fetched(tmp_path, {}, "hub")
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Planted(tmp_path), protocol=4))
    with pytest.raises(ModelTampered, match="something computed"):
        verify_fetched(tmp_path, {}, "hub")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("pipeline: {name: subprocess.Popen, params: {args: [touch, ran]}}", "something else"),
        ("", "something else"),
        (
            "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization, params: "
            "{segmentation: $model/s, embedding: someone/else, plda: $model/p}}",
            "outside",
        ),
        (
            "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization}\npreprocessors: {a: {name: os.system}}",
            "else",
        ),
    ],
)
def test_a_pipeline_that_names_other_code_is_refused(tmp_path: Path, config: str, says: str) -> None:
    (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(ModelTampered, match=says):
        verify_pipeline(tmp_path, {})


def test_a_pipeline_with_its_own_parts_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "pipeline: {name: pyannote.audio.pipelines.SpeakerDiarization, params: "
        "{segmentation: $model/segmentation, embedding: $model/embedding, plda: $model/plda}}"
    )
    verify_pipeline(tmp_path, {})
