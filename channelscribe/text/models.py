"""spaCy pipelines by language, each loaded once per process.

Needs the extra `text`; pipelines are packages or folders that are already here, and nothing is fetched unless
`text.fetch_models` is set. A language without one gets spaCy's rules (tokens and stop words, no entities): that is an
answer, not an error, and its note says why and what would install the pipeline.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from channelscribe.errors import TextModelUnavailable
from channelscribe.sample import world
from channelscribe.settings.options import TextOptions
from channelscribe.speech.verify import verify_bundle
from channelscribe.text.packages import fetch, install_command, installed_version, is_transformer, split_name

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["SAMPLE", "Pipeline", "load_pipeline", "readers"]

SAMPLE = "sample"
_TAGGERS = ("tagger", "morphologizer")


@dataclass(frozen=True)
class Pipeline:
    """A spaCy pipeline and what it can do. `note` says why it is only rules, where it is."""

    nlp: Language
    name: str
    version: str
    note: str | None = None

    @property
    def entities(self) -> bool:
        return bool({"ner", "entity_ruler"} & set(self.nlp.pipe_names))

    @property
    def lemmas(self) -> bool:
        return bool({"lemmatizer", "trainable_lemmatizer"} & set(self.nlp.pipe_names))

    @property
    def pos(self) -> bool:
        return bool(set(_TAGGERS) & set(self.nlp.pipe_names))

    @property
    def sentences(self) -> bool:
        """Whether it was trained to find sentences; spaCy's `sentencizer` is rules that know no abbreviations."""
        return bool({"parser", "senter"} & set(self.nlp.pipe_names))

    def describe(self) -> dict[str, Any]:
        """JSON-able: what `Reading.models` keeps of it."""
        return {
            "name": self.name,
            "version": self.version,
            "entities": self.entities,
            "lemmas": self.lemmas,
            "pos": self.pos,
        }


_lock = threading.Lock()
_loaded: dict[tuple[str, str | None], Pipeline] = {}


def load_pipeline(language: str, options: TextOptions) -> Pipeline:
    """The pipeline that `options.models` names for the language; spaCy's rules where none of that name and
    version is here.

    Raises TextModelUnavailable when spaCy itself is not installed, a pipeline is there but does not load, or one that
    may be fetched does not come; and ModelTampered when the bundled one is not what was shipped.
    """
    name = options.models.get(language)
    with _lock:
        if (language, name) not in _loaded:
            if find_spec("spacy") is None:
                raise TextModelUnavailable("spaCy is not installed.", remedy="pip install 'channelscribe[text]'")
            _import_spacy(options)
            loaded = _load(language, name, options.fetch_models)
            if loaded.note is not None and name is not None:
                return loaded  # it may be installed by the next time
            _loaded[language, name] = loaded
        return _loaded[language, name]


def readers(options: TextOptions) -> dict[str, str | None]:
    """Versions of all that readings are made with, None for what is not here; loads nothing.

    A reading is kept under these, so that another version of a pipeline makes a new one.
    """
    made = {name: _version(name) for name in ("spacy", "nltk")}
    return made | {f"{code} {name}": _pipeline_version(name) for code, name in sorted(options.models.items())}


class _NoTorch:
    """A finder for which there is no PyTorch, in the thread that made it; others may load it meanwhile."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch" and threading.get_ident() == self._thread:
            raise ModuleNotFoundError("spaCy is loaded without PyTorch", name=name)


def _import_spacy(options: TextOptions) -> None:
    """spaCy without PyTorch, which thinc loads wherever it finds it: two seconds and 600 MB that only pipelines of
    transformers have a use for.
    """
    if "thinc" in sys.modules or "torch" in sys.modules or any(map(is_transformer, options.models.values())):
        return
    finder: Any = _NoTorch()
    sys.meta_path.insert(0, finder)
    try:
        import spacy  # noqa: F401
    finally:
        sys.meta_path.remove(finder)


def _load(language: str, name: str | None, may_fetch: bool) -> Pipeline:
    import spacy

    if name is None:
        return _rules(language, f"no spaCy pipeline is set for the language {language!r}")
    place, wanted = split_name(name)
    if name == SAMPLE:
        verify_bundle()
    elif (have := installed_version(place)) is None or wanted not in (None, have):
        if not may_fetch:
            missing = f"version {wanted} of the spaCy pipeline {place!r}" if wanted else f"the spaCy pipeline {place!r}"
            return _rules(language, f"{missing} is not installed ({install_command(place, wanted)})")
        fetch(place, wanted)
    try:
        nlp = spacy.load(world.models_dir() / "ner" if name == SAMPLE else place)
    except (OSError, ValueError, ImportError) as error:
        raise TextModelUnavailable(
            f"The spaCy pipeline {name!r} cannot be loaded: {error}.",
            remedy="Install the version that fits this spaCy, or change text.models.",
        ) from error
    return Pipeline(nlp, name, str(nlp.meta.get("version", "")))


def _rules(language: str, note: str) -> Pipeline:
    import spacy

    try:
        nlp = spacy.blank(language)
    except ImportError:  # a language without rules: the ones that fit most
        nlp = spacy.blank("xx")
    return Pipeline(nlp, f"rules:{nlp.lang}", version("spacy"), note)


def _pipeline_version(name: str) -> str | None:
    # The sample's files are known by their sums, which are part of the program.
    return SAMPLE if name == SAMPLE else installed_version(split_name(name)[0])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
