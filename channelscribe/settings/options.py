"""All settings, as one pydantic model. Unknown keys are errors; secrets are `SecretStr` and never printed.

The field descriptions are the documentation: `config.yaml` and `channelscribe config show` repeat them, and a test
compares the three.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

from channelscribe.settings.access import AccessOptions
from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.base import Options, by_comma


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise PydanticCustomError("timezone", "it is no time zone such as Europe/Berlin") from None
    return value


class DatabaseOptions(Options):
    url: SecretStr | None = Field(
        None, description="postgresql:// URL of a PostgreSQL >= 15; empty: the embedded one in data_dir/postgres"
    )
    block: str | None = Field(
        None, description="Prefect block with the catalogue of the workers, over url; empty: none"
    )


class StoreOptions(Options):
    url: str | None = Field(
        None, description="where files go: a folder, file:// or s3://bucket/prefix; empty: data_dir/library"
    )
    block: str | None = Field(
        None, description="Prefect block with the media store of the workers, over the rest; empty: none"
    )
    endpoint_url: str | None = Field(None, description="address of an S3-compatible server; empty: AWS")
    access_key: SecretStr | None = Field(None, description="S3 access key; empty: the environment's own chain")
    secret_key: SecretStr | None = Field(None, description="S3 secret key")
    region: str | None = Field(None, description="S3 region")


class PrefectOptions(Options):
    api_url: str | None = Field(
        None, description="URL of a Prefect API; empty: what Prefect itself is set to, else a local server for this run"
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="port of the local server's API and UI; empty: any that is free"
    )
    channels: Path | None = Field(
        None, description="list of channels that `channelscribe deploy` schedules; empty: deployments/channels.yaml"
    )
    gpu_deployment: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description="deployment for speech of syncs: transcribe-audio/gpu-transcription; empty: the speech worker",
    )
    gpu_runs: int = Field(
        1, ge=1, le=1000, description="batches of speech that the pool gpu does at once, on all hosts"
    )
    longest_run_hours: float = Field(
        72, ge=0, le=8760, description="a run of a deployment that has not ended by then is cancelled; 0: never"
    )

    @field_validator("gpu_deployment")
    @classmethod
    def _has_its_name(cls, value: str | None) -> str | None:
        """What 0.1.0 called it is still understood."""
        return "transcribe-audio/gpu-transcription" if value == "transcribe-audio/gpu" else value


class DaskOptions(Options):
    scheduler: str | None = Field(None, description="address of a Dask scheduler; empty: a local cluster")
    cpu_workers: int = Field(1, ge=1, le=256, description="CPU worker processes of the local cluster")
    cpu_worker_threads: int = Field(
        4, ge=1, le=64, description="threads of each CPU worker: downloads wait more than they compute"
    )
    idle_minutes: float = Field(
        5, ge=0, le=1440, description="workers of the local cluster that no command needs any more end after this long"
    )
    tls_ca: Path | None = Field(None, description="PEM file of the authority behind a tls:// scheduler's certificate")
    tls_cert: Path | None = Field(None, description="PEM file of this machine's own certificate")
    tls_key: Path | None = Field(None, description="PEM file of its key; empty: in tls_cert")


Role = Literal["all", "orchestrator", "dask", "speech"]
Tab = Literal["videos", "shorts", "streams"]


class SourceOptions(AccessOptions):
    access: str | None = Field(
        None, description="Prefect block with the access to sites (cookies, proxy, ...) of the workers; empty: none"
    )
    tabs: tuple[Tab, ...] = Field(
        ("videos", "shorts", "streams"), min_length=1, description="tabs of a channel that are listed"
    )
    full_listing_hours: float = Field(
        24, ge=0, description="a channel is read to its end this often; between, only until what is known; 0: always"
    )
    post_live_hours: float = Field(
        24, ge=0, description="how long a stream that just ended may stay unfinished before it is fetched as it is"
    )
    budgets: dict[str, float] = Field(
        default_factory=lambda: {"youtube": 300.0},
        description="videos per hour that an outgoing address asks of a site, by yt-dlp's name; 0, none: no limit",
    )
    pause_seconds: float = Field(
        2, ge=0, le=600, description="longest random pause before a video of a site that has a budget"
    )
    allow_private_addresses: bool = Field(
        False, description="let sources be on this machine or a private network; off: such URLs are refused"
    )
    folders: Annotated[tuple[Path, ...], BeforeValidator(by_comma)] = Field(
        (), description="folders of this machine below which runs may read files (file:///…); empty: none"
    )
    quality: Literal["first", "smallest", "best"] = Field(
        "first", description="of several files of an episode: the feed's first (audio before video), smallest or best"
    )
    timezone: str | None = Field(
        None, description="the days of dates, such as filters.published_from, are this zone's; empty: this machine's"
    )
    timeout_seconds: float = Field(30, gt=0, le=600, description="socket time-out of one request")
    max_duration_hours: float = Field(12, gt=0, description="videos longer than this are left out")
    max_megabytes: int = Field(4096, gt=0, description="downloads larger than this are stopped")
    retries: int = Field(3, ge=0, le=20, description="tries of one request before the video is put off")
    covers: bool = Field(True, description="fetch the picture of a video, as the cover of its archive")
    voices: bool = Field(
        True, description="keep what each speaker's voice is like, so that people can be named once; off: none is kept"
    )
    concurrent_downloads: int = Field(2, ge=1, le=16, description="downloads at the same time")

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        return value and _zone(value)


class FilterOptions(Options):
    title: str | None = Field(None, description="only titles in which this regular expression is found, case ignored")
    not_title: str | None = Field(None, description="no titles in which this regular expression is found")
    min_minutes: float | None = Field(None, ge=0, description="nothing shorter")
    max_minutes: float | None = Field(None, gt=0, description="nothing longer")
    published_from: date | None = Field(None, description="nothing published before this day")
    published_to: date | None = Field(None, description="nothing published after this day")
    newest: int | None = Field(None, ge=1, description="of what the others let through only so many, the newest")
    season: int | None = Field(None, ge=0, description="only this season of a podcast")
    live: bool = Field(True, description="livestreams too, once they have ended")
    shorts: bool = Field(True, description="shorts too")

    @field_validator("title", "not_title")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is no regular expression: {error}") from error
        return value


class SpeechModel(Options):
    """One entry of the registry of speech models."""

    recognizer: str = Field(description="faster-whisper model name, hub id, or folder of a CTranslate2 model")
    language: str | None = Field(None, description="language code to assume; empty: detected")
    aligner: str | None = Field(None, description="wav2vec2 CTC model, hub id or folder; empty: by language")
    diarizer: str | None = Field(
        "auto",
        description="pyannote pipeline: hub id, folder; open: needs no token; auto: pyannote's with one, else open",
    )
    revision: str = Field("main", description="hub revision, or a version name for folders")
    chunk_seconds: int = Field(30, ge=5, le=30, description="longest stretch given to the recognizer at once")
    sha256: dict[str, str] = Field(
        default_factory=dict, description="known sha256 of files, by path in their folder; a pickle needs one"
    )


class SpeechRule(Options):
    """What `auto` means for some audio; a condition that is empty holds for all."""

    model: str = Field(description="name in `models`")
    device: Literal["cpu", "cuda"] | None = Field(None, description="where the models run")
    language: str | None = Field(None, description="language code that is assumed")
    longer_than_minutes: float | None = Field(None, ge=0, description="length of the audio above which it holds")
    shorter_than_minutes: float | None = Field(None, gt=0, description="length of the audio below which it holds")


class SpeechOptions(Options):
    model: str = Field("auto", description="name in `models`; auto: `small` on a CPU, `large-v3-turbo` on a GPU")
    rules: tuple[SpeechRule, ...] = Field((), description="which model auto means; the first rule that holds")
    language: str | None = Field(
        None, pattern=r"^[a-z]{2,3}$", description="language code to assume; empty: the model's own, else detected"
    )
    usual_language: str | None = Field(
        None,
        pattern=r"^[a-z]{2,3}$",
        description="a source's own: taken where too little is said to be sure of another",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the models run")
    compute_type: str = Field("auto", description="CTranslate2 type; auto: int8 on a CPU, float16 on a GPU")
    batch_size: int = Field(0, ge=0, le=256, description="chunks decoded together; 0: 4 on a CPU, what fits on a GPU")
    threads: int = Field(0, ge=0, le=256, description="CPU threads of the speech worker; 0: all cores it may use")
    beam_size: int = Field(5, ge=1, le=20, description="beams of the decoder")
    task: Literal["transcribe", "translate"] = Field(
        "transcribe", description="translate: write English, whatever is spoken (not the turbo model, which cannot)"
    )
    hotwords: str | None = Field(None, description="words that the recognizer should expect, such as names")
    initial_prompt: str | None = Field(None, description="text to be taken for what was said before each chunk")
    vocabulary: tuple[str, ...] = Field((), description="more words to expect: the glossary of a source")
    rewrite: dict[str, str] = Field(
        default_factory=dict, description="write it so: what is heard, and how it is to be written"
    )
    suppress_numerals: bool = Field(False, description="write numbers out, as whisperX's option of that name")
    channels: Literal["auto", "mix", "split"] = Field(
        "auto",
        description="two channels of a file given to `transcribe`: split, mix, or auto: apart if their voices differ",
    )
    vad_onset: float = Field(0.5, gt=0, lt=1, description="speech probability that starts a stretch of speech")
    vad_offset: float = Field(0.363, gt=0, lt=1, description="speech probability that ends it")
    vad_step: float = Field(
        0.5, ge=0.05, le=0.9, description="distance of the speech detector's windows, of a window; whisperX has 0.1"
    )
    align: bool | Literal["attention"] = Field(
        True, description="time each word: true by an aligner where there is one; attention: by the recognizer; false"
    )
    diarize: bool = Field(True, description="say who speaks")
    diarize_step: float = Field(
        0.2, ge=0.05, le=0.5, description="distance of the diarizer's windows, of a window; pyannote has 0.1"
    )
    min_speakers: int | None = Field(None, ge=1, le=50, description="at least this many speakers")
    max_speakers: int | None = Field(None, ge=1, le=50, description="at most this many speakers")
    hub_token: SecretStr | None = Field(None, description="Hugging Face token, for gated models")
    block: str | None = Field(
        None, description="Prefect block with speech models and the hub token of the workers, over these; empty: none"
    )
    transcripts: Literal["own", "publisher"] = Field(
        "own", description="publisher: of an episode whose publisher has a transcript with times, take those words"
    )
    batch_minutes: float = Field(60, gt=0, description="minutes of audio handed to the speech worker at once")
    models: dict[str, SpeechModel] = Field(
        default_factory=dict, description="registry of speech models, by name; added to the built-in ones"
    )


TextStep = Literal["sentences", "tokens", "entities", "topics", "key_phrases"]
"""In this order: names are found within sentences, topics end where sentences end."""


def _in_order(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps themselves, if each is there at most once and in their order."""
    wanted = tuple(step for step in get_args(TextStep) if step in steps)
    if steps != wanted:
        says = "steps are named once each and in order: {wanted}"
        raise PydanticCustomError("text_steps", says, {"wanted": ", ".join(wanted)})
    return steps


class TextOptions(Options):
    steps: Annotated[tuple[TextStep, ...], BeforeValidator(by_comma), AfterValidator(_in_order)] = Field(
        ("sentences", "tokens", "entities", "topics", "key_phrases"),
        description="what is read, in this order; each can be left out",
    )
    language: str = Field(
        "en", pattern=r"^[a-z]{2,3}$", description="language code of files that do not tell theirs (txt, srt, vtt)"
    )
    models: dict[str, str] = Field(
        default_factory=lambda: {"en": "en_core_web_sm"},
        description="spaCy pipeline (package, package==version or folder) for each language code",
    )
    fetch_models: bool = Field(False, description="let a worker install a missing spaCy pipeline; off: rules instead")
    pause_seconds: float = Field(
        0.6, gt=0, le=60, description="where there is no punctuation, a silence this long ends a sentence"
    )
    longest_sentence: int = Field(
        60, ge=2, le=10000, description="words; a longer sentence is taken for text without punctuation"
    )
    topics_from_words: int = Field(4000, ge=1, description="shorter transcripts are not divided by topic")
    key_phrases: int = Field(20, ge=1, le=1000, description="at most so many key phrases, the best ones")


class MeaningModel(Options):
    """One entry of the registry of models of meaning."""

    model: str = Field(description="hub id, or folder")
    file: str | None = Field(
        None, description="its weights, .onnx or .safetensors; empty: model.onnx or model.safetensors of the folder"
    )
    revision: str = Field("main", description="hub revision, or a version name for folders")
    dimensions: int = Field(ge=1, le=4000, description="length of its vectors")
    language: str | None = Field(None, description="language code that it knows; empty: many")
    query: str = Field("", description="what it wants to read before a query")
    passage: str = Field("", description="what it wants to read before a passage")
    tokens: int = Field(256, ge=8, le=8192, description="word pieces of a text that it reads; the rest is cut off")
    least: float = Field(0.0, ge=-1, lt=1, description="passages less alike than this (cosine) are no hits")
    sha256: dict[str, str] = Field(default_factory=dict, description="known sha256 of files, by path in their folder")


class MeaningOptions(Options):
    """Search by meaning (`channelscribe search --by meaning`)."""

    model: str | None = Field(
        "all-MiniLM-L6-v2",
        description="name in `models`, or a folder, for a library without an index; empty: no search by meaning",
    )
    hub_token: SecretStr | None = Field(None, description="Hugging Face token, for gated models")
    models: dict[str, MeaningModel] = Field(
        default_factory=dict, description="registry of models of meaning, by name; added to the built-in ones"
    )


class RetentionOptions(Options):
    orphan_hours: float = Field(
        48, ge=0, le=87600, description="how long what no row points to is left alone; a takedown does not wait"
    )
    originals_days: float | None = Field(
        None, ge=0, description="tracks as the sites gave them go after so many days; empty: never"
    )
    archives_days: float | None = Field(None, ge=0, description="archived audio goes after so many days; empty: never")
    audio_parts_days: float | None = Field(None, ge=0, description="its parts go after so many days; empty: never")
    speech_tracks_days: float | None = Field(
        None, ge=0, description="what the models hear goes after so many days; empty: never"
    )
    checkpoints_days: float | None = Field(
        None, ge=0, description="results of the speech models go after so many days; empty: never"
    )
    old_versions_days: float | None = Field(
        None, ge=0, description="transcripts that another took the place of go after so many days; empty: never"
    )


class NotifyOptions(Options):
    to: Annotated[tuple[str, ...], BeforeValidator(by_comma)] = Field(
        (), description="notification blocks of Prefect, TYPE/NAME, told by `channelscribe deploy`'s automations"
    )
    once_in_hours: float = Field(
        24, gt=0, le=744, description="each of a source's troubles is told at most once in so many hours"
    )
    quiet_hours: str | None = Field(
        None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="hours such as 22:00-07:00 whose troubles are told after them; empty: none",
    )
    timezone: str = Field("UTC", description="time zone of quiet_hours, such as Europe/Berlin")
    watches: Path | None = Field(
        None, description="list of watches that `channelscribe deploy` keeps; empty: deployments/watches.yaml"
    )
    failed_share: float = Field(
        0.5, gt=0, le=1, description="share of failed videos from which a sync is told as failed"
    )
    allow_private_addresses: bool = Field(
        False, description="let webhooks of watches be on this machine or a private network"
    )

    @field_validator("to")
    @classmethod
    def _are_blocks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", each) for each in value):
            raise PydanticCustomError("notify_to", "a block is TYPE/NAME, such as slack-webhook/operators")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        return _zone(value)

    def is_quiet(self, now: datetime) -> bool:
        """Whether a moment is within the quiet hours, which may go over midnight."""
        if self.quiet_hours is None:
            return False
        begin, _, end = self.quiet_hours.partition("-")
        clock = f"{now.astimezone(ZoneInfo(self.timezone)):%H:%M}"
        return begin <= clock < end if begin <= end else clock >= begin or clock < end


class SubtitleOptions(Options):
    """How the cues of srt and vtt are cut; the numbers are those that broadcasters use."""

    line_characters: int = Field(
        42, ge=10, le=200, description="characters of a line at most, spaces too; a Chinese or Japanese one counts two"
    )
    lines: int = Field(2, ge=1, le=4, description="lines of a subtitle at most")
    longest_seconds: float = Field(7, ge=2, le=60, description="no subtitle stands longer")
    shortest_seconds: float = Field(1, ge=0.2, le=2, description="nor shorter, where the talk allows it")
    characters_per_second: float = Field(
        20, ge=5, le=60, description="reading speed for which a subtitle stays longer than it is said"
    )
    pause_seconds: float = Field(1, ge=0.3, le=1.5, description="no subtitle goes over a silence this long")


class SearchOptions(Options):
    """How queries are understood."""

    ignore_accents: bool = Field(
        True, description="whether words typed without accents find those with them; typed with them they are meant so"
    )


class WebOptions(Options):
    """The reading room (`channelscribe serve`)."""

    listen: str = Field("127.0.0.1:4300", description="where `channelscribe serve` listens, HOST:PORT")
    hosts: Annotated[tuple[str, ...], BeforeValidator(by_comma)] = Field(
        (), description="names under which it is asked, such as room.example.org, beside its own address"
    )
    user_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$",
        description="header in which a proxy says who asks, such as X-Remote-User; empty: logins of `serve passwd`",
    )
    proxies: Annotated[tuple[str, ...], BeforeValidator(by_comma)] = Field(
        (), description="addresses or networks of the proxies that are believed, such as 10.0.0.0/8"
    )
    editors: Annotated[tuple[str, ...], BeforeValidator(by_comma)] = Field(
        (), description="users named by such a proxy who may change things; the others read"
    )
    presign: bool = Field(
        False, description="let browsers fetch audio from the bucket itself, at addresses that hold for an hour"
    )
    prefect_ui: str | None = Field(
        None, description="Prefect's UI as browsers see it, for links to runs; empty: beside its API"
    )
    requests_per_second: float = Field(
        50, ge=0, le=100_000, description="requests of one address, ten seconds' worth at once; 0: no limit"
    )

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not (host and port.isdigit() and int(port) < 1 << 16):
            raise ValueError("it is no HOST:PORT such as 127.0.0.1:4300")
        return value

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)
        return value


class Settings(Options):
    """Everything that can be set. Sections are the words before the dot in `channelscribe config show`."""

    data_dir: Path = Field(Path("data"), description="folder of everything that is kept on this machine")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="detail of the log file")
    role: Role = Field(
        "all", description="which steps run on this machine: all; in an image of one role orchestrator, dask or speech"
    )
    lease_seconds: int = Field(
        900, ge=5, le=86400, description="how long work on a video is reserved without a sign of life"
    )
    database: DatabaseOptions = DatabaseOptions()
    store: StoreOptions = StoreOptions()
    prefect: PrefectOptions = PrefectOptions()
    dask: DaskOptions = DaskOptions()
    sources: SourceOptions = SourceOptions()
    filters: FilterOptions = FilterOptions()
    audio: AudioOptions = AudioOptions()
    speech: SpeechOptions = SpeechOptions()
    subtitles: SubtitleOptions = SubtitleOptions()
    text: TextOptions = TextOptions()
    search: SearchOptions = SearchOptions()
    meaning: MeaningOptions = MeaningOptions()
    retention: RetentionOptions = RetentionOptions()
    web: WebOptions = WebOptions()
    notify: NotifyOptions = NotifyOptions()
