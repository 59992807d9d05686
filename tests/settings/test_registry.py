"""Each layer of the settings, their order, and what is said when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from channelscribe.errors import InvalidSetting, UnknownSetting
from channelscribe.settings.access import AccessOptions
from channelscribe.settings.options import Settings
from channelscribe.settings.registry import SettingsRegistry, packaged_config, parse_assignment
from channelscribe.settings.travel import on_arrival, refuse_own, to_travel, travels


def registry(folder: Path, **layers: object) -> SettingsRegistry:
    return SettingsRegistry(folder=folder, environ=layers.pop("environ", {}), **layers)  # type: ignore[arg-type]


def origin(found: SettingsRegistry, key: str) -> str:
    return next(item.origin for item in found.explain() if item.key == key)


def test_the_packaged_config_holds_exactly_the_defaults() -> None:
    assert Settings.model_validate(_without_empty(yaml.safe_load(packaged_config().read_text()))) == Settings()


def test_the_packaged_config_names_every_setting() -> None:
    def keys(values: dict[str, object], prefix: str = "") -> set[str]:
        found = set()
        for key, value in values.items():
            nested = isinstance(value, dict) and not key.endswith(("models", "budgets", "logins", "rewrite"))
            found |= keys(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}"}  # type: ignore[arg-type]
        return found

    explained = {item.key for item in SettingsRegistry(environ={}, folder=Path("/")).explain()}
    assert keys(yaml.safe_load(packaged_config().read_text())) == explained


def test_later_layers_win(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "work"
    (home / ".config" / "channelscribe").mkdir(parents=True)
    folder.mkdir()
    own, working = home / ".config" / "channelscribe" / "config.yaml", folder / "channelscribe.yaml"
    environ = {"HOME": str(home)}

    def now(**layers: object) -> tuple[str, str]:
        found = registry(folder, environ={**environ}, **layers)
        return found.resolve().speech.model, origin(found, "speech.model")

    assert now() == ("auto", "config.yaml (default)")
    own.write_text("speech: {model: own, beam_size: 2}\nlog_level: DEBUG\n")
    assert now() == ("own", str(own))
    working.write_text("speech: {model: working}\n")
    assert now() == ("working", str(working))
    (folder / ".env").write_text("CHANNELSCRIBE_SPEECH__MODEL=dotenv\n")
    assert now() == ("dotenv", ".env")
    environ["CHANNELSCRIBE_SPEECH__MODEL"] = "environment"
    assert now() == ("environment", "environment")
    dynamic = {"speech.model": "variable"}
    assert now(dynamic=dynamic) == ("variable", "Prefect variable channelscribe_settings")
    run = {"speech": {"model": "run"}}
    assert now(dynamic=dynamic, run=run) == ("run", "run parameter")
    last = registry(folder, environ=environ, dynamic=dynamic, run=run)
    assert last.resolve().speech.beam_size == 2
    assert origin(last, "log_level") == str(own)


def test_a_persons_own_file_is_where_xdg_says(tmp_path: Path) -> None:
    (tmp_path / "xdg" / "channelscribe").mkdir(parents=True)
    file = tmp_path / "xdg" / "channelscribe" / "config.yaml"
    file.write_text("speech: {model: own}")
    assert origin(registry(tmp_path, environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg")}), "speech.model") == str(file)
    for elsewhere in ({"XDG_CONFIG_HOME": "xdg"}, {"HOME": "xdg"}, {}):
        assert registry(tmp_path, environ=elsewhere).resolve().speech.model == "auto"


def test_a_file_that_is_named_takes_the_place_of_the_folders(tmp_path: Path) -> None:
    (tmp_path / "channelscribe.yaml").write_text("speech: {model: the-folders}")
    (tmp_path / "named.yaml").write_text("speech: {model: named}")
    assert registry(tmp_path, environ={"CHANNELSCRIBE_CONFIG": "named.yaml"}).resolve().speech.model == "named"
    (tmp_path / ".env").write_text("CHANNELSCRIBE_CONFIG=named.yaml")
    assert registry(tmp_path).resolve().speech.model == "named"


@pytest.mark.parametrize("text", ["title: My site\ntheme: x\n", "a: [", "\x00", "", "database: {engine: mysql}"])
def test_somebody_elses_config_is_never_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    found = registry(tmp_path)
    assert found.resolve() == registry(tmp_path / "empty").resolve().model_copy(update={"data_dir": tmp_path / "data"})
    assert found.notes == []


def test_a_config_of_the_older_release_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("speech: {model: small}\n")
    found = registry(tmp_path)
    assert found.resolve().speech.model == "auto"
    (note,) = found.notes
    assert str(tmp_path / "config.yaml") in note and "channelscribe.yaml" in note
    (tmp_path / "config.yaml").rename(tmp_path / "channelscribe.yaml")
    assert registry(tmp_path).notes == []
    assert registry(tmp_path).resolve().speech.model == "small"


@pytest.mark.parametrize(
    "theirs",
    [b"SPEECH__MODEL=theirs\nDATABASE_URL=x\n", b"\xff\xfe\x00 no = text \xe9\n", b"'never closed\n", b"= = =\n\n{\n"],
)
def test_of_a_dotenv_only_our_names_count(tmp_path: Path, theirs: bytes) -> None:
    (tmp_path / ".env").write_bytes(b"CHANNELSCRIBE_SPEECH__BEAM_SIZE=2\n" + theirs)
    speech = registry(tmp_path).resolve().speech
    assert (speech.model, speech.beam_size) == ("auto", 2)


def test_a_folder_called_dotenv_is_none(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert registry(tmp_path).notes == []


def test_a_section_in_which_all_is_commented_out_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "channelscribe.yaml").write_text("speech:\n  # model: small\n")
    found = registry(tmp_path)
    assert (found.resolve().speech.model, origin(found, "speech.model")) == ("auto", "config.yaml (default)")


@pytest.mark.slow
def test_relative_places_are_of_the_folder_that_a_person_works_in(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    text = """
      data_dir: data
      store: {url: ./kept}
      dask: {tls_ca: ca.pem}
      sources: {cookies_file: ../cookies.txt}
      speech: {models: {mine: {recognizer: models/mine}, hub: {recognizer: models/other}}}
    """
    (tmp_path / "channelscribe.yaml").write_text(text)
    found = SettingsRegistry(environ={"CHANNELSCRIBE_FOLDER": str(tmp_path)}).resolve()
    assert found.data_dir == tmp_path / "data"
    assert found.store.url == str(tmp_path / "kept")
    assert found.dask.tls_ca == tmp_path / "ca.pem"
    assert found.sources.cookies_file == tmp_path / "../cookies.txt"
    assert found.speech.models["mine"].recognizer == str(tmp_path / "models" / "mine")
    assert found.speech.models["hub"].recognizer == "models/other"


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "file:///srv/kept", "/srv/kept"])
def test_other_addresses_of_the_store_stay_what_they_are(tmp_path: Path, url: str) -> None:
    assert registry(tmp_path, environ={"CHANNELSCRIBE_STORE__URL": url}).resolve().store.url == url


def test_values_of_the_environment_become_what_the_field_wants(tmp_path: Path) -> None:
    environ = {
        "CHANNELSCRIBE_SOURCES__ALLOW_PRIVATE_ADDRESSES": "true",
        "CHANNELSCRIBE_SPEECH__MAX_SPEAKERS": "3",
        "CHANNELSCRIBE_SPEECH__MIN_SPEAKERS": "",
        "CHANNELSCRIBE_TEXT__MODELS": "{de: de_core_news_sm}",
        "CHANNELSCRIBE_STORE__SECRET_KEY": "0123",
    }
    settings = registry(tmp_path, environ=environ).resolve()
    assert settings.sources.allow_private_addresses is True
    assert (settings.speech.min_speakers, settings.speech.max_speakers) == (None, 3)
    assert settings.text.models["de"] == "de_core_news_sm"
    assert settings.store.secret_key is not None
    assert settings.store.secret_key.get_secret_value() == "0123"


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("speech: {modle: x}", UnknownSetting, "speech.modle"),
        ("speech: {beam_size: 0}", InvalidSetting, "speech.beam_size"),
        ("nonsense: 1", UnknownSetting, "nonsense"),
        ("- a list", InvalidSetting, "key: value"),
        ("a: [", InvalidSetting, "cannot be read"),
    ],
)
def test_a_wrong_config_names_key_and_file(tmp_path: Path, text: str, error: type[Exception], says: str) -> None:
    (tmp_path / "channelscribe.yaml").write_text(text)
    with pytest.raises(error) as caught:
        registry(tmp_path).resolve()
    assert says in str(caught.value)
    assert "channelscribe.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="not a file"):
        registry(tmp_path, environ={"CHANNELSCRIBE_CONFIG": str(tmp_path / "none.yaml")})


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    canary = "canary-5f3a"
    environ = {
        "CHANNELSCRIBE_DATABASE__URL": f"postgresql://u:{canary}@h/d",
        "CHANNELSCRIBE_SPEECH__HUB_TOKEN": canary,
        "CHANNELSCRIBE_STORE__SECRET_KEY": canary,
    }
    found = registry(tmp_path, environ=environ)
    assert canary not in repr(found.explain())
    assert canary not in repr(found.resolve())
    assert canary not in repr(to_travel(found.resolve()))


def test_settings_travel_and_arrive() -> None:
    settings = SettingsRegistry(
        environ={}, folder=Path("/"), run={"speech.beam_size": 2, "text.models": {"en": "sample"}}
    ).resolve()
    arrived = on_arrival(to_travel(settings))
    assert on_arrival(to_travel(settings)) is arrived
    assert arrived.speech == settings.speech
    assert arrived.text.models["en"] == "sample"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("speech.model", True),
        ("lease_seconds", True),
        ("speech.hub_token", False),
        ("store.url", False),
        ("database.url", False),
        ("data_dir", False),
    ],
)
def test_only_what_decides_results_can_be_set_for_one_run(key: str, expected: bool) -> None:
    assert travels(Settings(), key) is expected


@pytest.mark.parametrize("text", ["speech.model", "=x", ""])
def test_an_assignment_needs_key_and_value(text: str) -> None:
    with pytest.raises(InvalidSetting):
        parse_assignment(text)


def _without_empty(values: dict[str, object]) -> dict[str, object]:
    return {key: _without_empty(value) if isinstance(value, dict) else value for key, value in values.items()}


@pytest.mark.parametrize("key", AccessOptions.model_fields)
def test_the_access_to_sites_is_the_workers_own(key: str, tmp_path: Path) -> None:
    given = {"cookies_file": "/x", "player_clients": "web", "extractor_args": "a:b=canary-1", "egress": "home"}
    given = {**given, "logins": "feeds.example.org me:canary-1"}.get(key, "http://canary-1")
    environ = {f"CHANNELSCRIBE_SOURCES__{key.upper()}": given}
    settings = registry(tmp_path, environ=environ).resolve()
    assert getattr(settings.sources, key)
    assert not travels(settings, f"sources.{key}")
    assert key not in to_travel(settings)["sources"]


def test_an_empty_secret_does_not_travel_either() -> None:
    """It would take the place of the worker's own."""
    assert "hub_token" not in to_travel(Settings())["speech"]


@pytest.mark.parametrize(
    "given",
    [{"speech.hub_token": "canary-1"}, {"speech": {"hub_token": "canary-1"}}, {"database": {"url": "canary-1"}}],
)
def test_what_is_each_machines_own_is_refused_dotted_or_nested(given: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting, match="cannot come from a test") as caught:
        refuse_own(given, "a test")
    assert "canary-1" not in str(caught.value)
    assert "CHANNELSCRIBE_" in caught.value.remedy


def test_what_travels_is_not_refused() -> None:
    refuse_own({"speech.model": "x", "filters": {"title": "y"}, "text.models": {"en": "z"}, "nonsense": 1}, "a test")
