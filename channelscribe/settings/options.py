"""All settings, as one pydantic model. Unknown keys are errors; secrets are `SecretStr` and never printed.

The field descriptions are the documentation: `config.yaml` and `channelscribe config show` repeat them, and a test
compares the three.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from channelscribe.settings.access import AccessOptions
from channelscribe.settings.audio_steps import by_comma, ordered, refuse_combinations
from channelscribe.settings.text_steps import in_order


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


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
    api_url: str | None = Field(None, description="URL of a Prefect API; empty: a local server for this run")
    port: int | None = Field(
        None, ge=1, le=65535, description="port of the local server's API and UI; empty: any that is free"
    )
    channels: Path | None = Field(
        None, description="list of channels that `channelscribe deploy` schedules; empty: deployments/channels.yaml"
    )
    gpu_deployment: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description="deployment that transcribes for syncs, such as transcribe-audio/gpu; empty: the speech worker",
    )
    gpu_runs: int = Field(
        1, ge=1, le=1000, description="batches of speech that the pool gpu does at once, on all hosts"
    )
    longest_run_hours: float = Field(
        72, ge=0, le=8760, description="a run of a deployment that has not ended by then is cancelled; 0: never"
    )


class DaskOptions(Options):
    scheduler: str | None = Field(None, description="address of a Dask scheduler; empty: a local cluster")
    cpu_workers: int = Field(1, ge=1, le=256, description="CPU worker processes of the local cluster")
    cpu_worker_threads: int = Field(
        4, ge=1, le=64, description="threads of each CPU worker: downloads wait more than they compute"
    )
    tls_ca: Path | None = Field(None, description="PEM file of the authority behind a tls:// scheduler's certificate")
    tls_cert: Path | None = Field(None, description="PEM file of this machine's own certificate")
    tls_key: Path | None = Field(None, description="PEM file of its key; empty: in tls_cert")


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
    timeout_seconds: float = Field(30, gt=0, le=600, description="socket time-out of one request")
    max_duration_hours: float = Field(12, gt=0, description="videos longer than this are left out")
    max_megabytes: int = Field(4096, gt=0, description="downloads larger than this are stopped")
    retries: int = Field(3, ge=0, le=20, description="tries of one request before the video is put off")
    covers: bool = Field(True, description="fetch the picture of a video, as the cover of its archive")
    concurrent_downloads: int = Field(2, ge=1, le=16, description="downloads at the same time")


class FilterOptions(Options):
    title: str | None = Field(None, description="only titles in which this regular expression is found, case ignored")
    not_title: str | None = Field(None, description="no titles in which this regular expression is found")
    min_minutes: float | None = Field(None, ge=0, description="nothing shorter")
    max_minutes: float | None = Field(None, gt=0, description="nothing longer")
    published_from: date | None = Field(None, description="nothing published before this day")
    published_to: date | None = Field(None, description="nothing published after this day")
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


class ConvertOptions(Options):
    """The archive's format. `vbr_quality` is LAME's -V scale."""

    format: Literal["mp3", "opus", "flac", "wav"] = Field(
        "mp3", description="format of the archive: mp3, opus, flac, wav"
    )
    bitrate_kbps: int = Field(96, ge=16, le=320, description="bit rate of mp3 (constant) and opus, kbit/s")
    vbr_quality: int | None = Field(
        None, ge=0, le=9, description="mp3 of variable bit rate: 0 best, 9 smallest; empty: constant"
    )
    channels: Literal["source", "mono", "stereo"] = Field(
        "source", description="channels of the archive: mono, stereo or source (where more than two become two)"
    )
    sample_rate: int | None = Field(
        None, ge=8000, le=48000, description="hertz of the archive; empty: 44100 or 48000, as suits the source"
    )


class NormalizeOptions(Options):
    target_lufs: float = Field(-16.0, ge=-40, le=-5, description="integrated loudness of the archive, LUFS")
    true_peak_db: float = Field(-1.5, ge=-9, le=0, description="highest true peak of the archive, dBTP")


class SilenceOptions(Options):
    level_db: float = Field(-50.0, ge=-90, le=-20, description="sound that stays below this is silence, dBFS")
    seconds: float = Field(0.5, ge=0.1, le=60, description="shorter silences are not looked at")


Tracks = Literal["speech", "archive", "both"]


class TrimOptions(Options):
    of: Tracks = Field("speech", description="what loses the silence at its ends: speech, archive or both")
    keep_seconds: float = Field(0.3, ge=0, le=60, description="silence that is left at each end")


class SplitOptions(Options):
    of: Tracks = Field("archive", description="what gets parts beside the whole: archive, speech or both")
    at: Literal["silences", "length", "chapters"] = Field(
        "silences", description="where to cut: silences, length (every max_minutes) or the site's chapters"
    )
    max_minutes: float = Field(60.0, ge=0.05, le=1440, description="no part is longer")
    search_seconds: float = Field(60.0, ge=1, le=300, description="how far around an even cut a pause is looked for")
    vad: bool = Field(
        False, description="where nothing is silent, ask a voice activity detector for a pause (extra `speech`)"
    )


AudioStep = Literal["convert", "normalize", "trim", "split"]


class AudioOptions(Options):
    """What is made of a download; `channelscribe.audio.steps` says which steps go together."""

    steps: Annotated[tuple[AudioStep, ...], BeforeValidator(by_comma), AfterValidator(ordered)] = Field(
        ("convert", "normalize"),
        description="what is done, in this order: convert, normalize, trim, split; each can be left out",
    )
    convert: ConvertOptions = ConvertOptions()
    normalize: NormalizeOptions = NormalizeOptions()
    silence: SilenceOptions = SilenceOptions()
    trim: TrimOptions = TrimOptions()
    split: SplitOptions = SplitOptions()
    time_limit_factor: float = Field(
        1.0, gt=0, description="wall-clock limit of one ffmpeg run, as a multiple of the media's length (+60 s)"
    )

    @model_validator(mode="after")
    def _together(self) -> AudioOptions:
        refuse_combinations(self)
        return self


class SpeechModel(Options):
    """One entry of the registry of speech models."""

    recognizer: str = Field(description="faster-whisper model name, hub id, or folder of a CTranslate2 model")
    language: str | None = Field(None, description="language code to assume; empty: detected")
    aligner: str | None = Field(None, description="wav2vec2 CTC model, hub id or folder; empty: by language")
    diarizer: str | None = Field(None, description="pyannote pipeline, hub id or folder; empty: none")
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
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the models run")
    compute_type: str = Field("auto", description="CTranslate2 type; auto: int8 on a CPU, float16 on a GPU")
    batch_size: int = Field(0, ge=0, le=256, description="chunks decoded together; 0: 4 on a CPU, what fits on a GPU")
    threads: int = Field(0, ge=0, le=256, description="CPU threads of the speech worker; 0: all cores it may use")
    beam_size: int = Field(5, ge=1, le=20, description="beams of the decoder")
    vad_onset: float = Field(0.5, gt=0, lt=1, description="speech probability that starts a stretch of speech")
    vad_offset: float = Field(0.363, gt=0, lt=1, description="speech probability that ends it")
    vad_step: float = Field(
        0.25, ge=0.05, le=0.5, description="distance of the speech detector's windows, of a window; whisperX has 0.1"
    )
    align: bool = Field(True, description="give each word its own time")
    diarize: bool = Field(True, description="say who speaks, where the model has a diarizer")
    diarize_step: float = Field(
        0.2, ge=0.05, le=0.5, description="distance of the diarizer's windows, of a window; pyannote has 0.1"
    )
    min_speakers: int | None = Field(None, ge=1, le=50, description="at least this many speakers")
    max_speakers: int | None = Field(None, ge=1, le=50, description="at most this many speakers")
    hub_token: SecretStr | None = Field(None, description="Hugging Face token, for gated models")
    block: str | None = Field(
        None, description="Prefect block with speech models and the hub token of the workers, over these; empty: none"
    )
    batch_minutes: float = Field(60, gt=0, description="minutes of audio handed to the speech worker at once")
    models: dict[str, SpeechModel] = Field(
        default_factory=dict, description="registry of speech models, by name; added to the built-in ones"
    )


TextStep = Literal["sentences", "tokens", "entities", "topics", "key_phrases"]


class TextOptions(Options):
    steps: Annotated[tuple[TextStep, ...], BeforeValidator(by_comma), AfterValidator(in_order)] = Field(
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


class Settings(Options):
    """Everything that can be set. Sections are the words before the dot in `channelscribe config show`."""

    data_dir: Path = Field(Path("data"), description="folder of everything that is kept on this machine")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="detail of the log file")
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
    text: TextOptions = TextOptions()
    retention: RetentionOptions = RetentionOptions()
