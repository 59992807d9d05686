"""All blocks: their slugs, their fields, what workers and `doctor` make of the documents that settings name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from blocks import BLOCKS, CatalogueBlock, MediaStoreBlock, SiteAccessBlock, SpeechModelsBlock
from channelscribe.catalogue import schema
from channelscribe.errors import ModelUnavailable, StackError
from channelscribe.local_stack import LocalStack
from channelscribe.settings import Settings, SpeechModel, SpeechOptions
from channelscribe.settings.registry import SettingsRegistry
from flows.commands import doctor
from tasks import resources

DOC = (Path(__file__).parent.parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")


def test_slugs_are_for_good() -> None:
    assert {kind.__name__: kind.get_block_type_slug() for kind in BLOCKS} == {
        "CatalogueBlock": "channelscribe-catalogue",
        "MediaStoreBlock": "channelscribe-media-store",
        "SiteAccessBlock": "channelscribe-site-access",
        "SpeechModelsBlock": "channelscribe-speech-models",
    }


@pytest.mark.parametrize("kind", BLOCKS, ids=lambda kind: kind.__name__)
def test_each_block_explains_itself_and_is_in_the_docs(kind: type[Block]) -> None:
    assert kind._description and callable(kind.check_reachable)  # type: ignore[attr-defined]
    assert f"| `{kind.get_block_type_slug()}` |" in DOC
    fields = [field for name, field in kind.model_fields.items() if name not in Block.model_fields]
    assert fields and all(field.title and field.description for field in fields)


def test_speech_models_are_added_to_the_workers_own() -> None:
    own = SpeechOptions(models={"a": SpeechModel(recognizer="/a")}, hub_token=SecretStr("own"), beam_size=3)
    made = SpeechModelsBlock(models={"b": {"recognizer": "/b", "language": "de"}}).options(own)
    assert (sorted(made.models), made.models["b"].language, made.beam_size) == (["a", "b"], "de", 3)
    assert made.hub_token == own.hub_token
    assert SpeechModelsBlock(hub_token="canary-2").options(own).hub_token == SecretStr("canary-2")
    assert "canary-2" not in repr(SpeechModelsBlock(hub_token="canary-2"))


def test_a_wrong_speech_model_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk_seconds"):
        SpeechModelsBlock(models={"b": {"recognizer": "/b", "chunk_seconds": 90}})


def test_speech_models_that_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def model_info(self: Any, name: str, *, revision: str, timeout: float) -> None:
        asked.append((name, revision, self.token))
        if "gone" in name:
            raise OSError("404 canary-4")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    SpeechModelsBlock(
        models={"here": {"recognizer": str(tmp_path)}, "known": {"recognizer": "small"}}
    ).check_reachable()
    assert asked == []
    hub = {"mine": {"recognizer": "me/whisper", "revision": "v2"}}
    SpeechModelsBlock(hub_token="canary-4", models=hub).check_reachable()
    assert [each[0] for each in asked] == ["me/whisper", "pyannote/speaker-diarization-community-1"]
    assert asked[0][1:] == ("v2", "canary-4")
    for recognizer in (str(tmp_path / "none"), "me/gone"):
        with pytest.raises(ModelUnavailable, match=recognizer) as caught:
            SpeechModelsBlock(models={"x": {"recognizer": recognizer}}).check_reachable()
        assert caught.value.remedy and "canary-4" not in str(caught.value)


@pytest.fixture
def documents(stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Documents of this name, and settings of this process that name them."""
    name = "of-a-worker"
    url = stack.addresses.prefect_api_url or ""
    monkeypatch.setenv("PREFECT_API_URL", url)
    for key in ("DATABASE__BLOCK", "STORE__BLOCK", "SPEECH__BLOCK", "SOURCES__ACCESS"):
        monkeypatch.setenv(f"CHANNELSCRIBE_{key}", name)
    monkeypatch.setenv("CHANNELSCRIBE_PREFECT__API_URL", url)
    caches = (resources.own_settings, resources.catalogue, resources.store, resources._speech_models)
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        made = [
            CatalogueBlock(url=stack.addresses.database_url),
            MediaStoreBlock(url=str(tmp_path)),
            SpeechModelsBlock(hub_token="canary-6", models={"mine": {"recognizer": str(tmp_path)}}),
            SiteAccessBlock(player_clients="web"),
        ]
        for block in made:
            block.save(name, overwrite=True)
        for each in caches:
            each.cache_clear()
        yield name
        for block in made:
            slug = block.get_block_type_slug()
            client.delete_block_document(client.read_block_document_by_name(name, slug).id)
    for each in caches:
        each.cache_clear()


@pytest.mark.long
@pytest.mark.stack
def test_workers_and_doctor_use_the_documents_that_settings_name(
    documents: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(resources.catalogue())
    resources.store().put_bytes(b"x", "doctor/x.txt")
    assert (tmp_path / "doctor" / "x.txt").exists()
    speech = resources.settings_of({"speech": {"block": None, "beam_size": 2}}).speech
    assert (speech.models["mine"].recognizer, speech.beam_size) == (str(tmp_path), 2)
    assert speech.hub_token == SecretStr("canary-6")
    resources.catalogue().close()

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: None)
    settings = SettingsRegistry().resolve()
    found = doctor.checked(doctor.blocks, settings)
    assert [(each.what.rpartition("/")[2], each.state) for each in found] == [(documents, "ok")] * 4
    missing = settings.model_copy(update={"store": settings.store.model_copy(update={"block": "nowhere"})})
    told = next(each for each in doctor.checked(doctor.blocks, missing) if "nowhere" in each.what)
    assert (told.state, "store.block" in told.remedy) == ("missing", True)
    with pytest.raises(StackError, match="channelscribe-media-store/nowhere"):
        resources.loaded(MediaStoreBlock, "nowhere", "store.block")


def test_doctor_looks_at_no_block_that_is_not_named(tmp_path: Path) -> None:
    assert doctor.checked(doctor.blocks, Settings(data_dir=tmp_path)) == []
    named = Settings.model_validate({"data_dir": tmp_path, "store": {"block": "x"}})
    assert [each.state for each in doctor.checked(doctor.blocks, named)] == ["note"]
