"""spaCy pipelines by language, each loaded once per process.

Needs the extra `text`; pipelines are packages or folders that are already here, nothing is downloaded. A
language without one gets spaCy's rules (tokens and stop words, no entities): that is an answer, not an error.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channelscribe.bundle import verify_bundle
from channelscribe.errors import TextModelUnavailable
from channelscribe.sample import world
from channelscribe.settings.options import TextOptions

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["SAMPLE", "Pipeline", "load_pipeline"]

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
    """The pipeline that `options.models` names for the language; spaCy's rules where none of that name is
    here.

    Raises TextModelUnavailable when spaCy itself is not installed or a pipeline is there but does not load,
    and ModelTampered when the bundled one is not what was shipped.
    """
    name = options.models.get(language)
    with _lock:
        if (language, name) not in _loaded:
            if find_spec("spacy") is None:
                raise TextModelUnavailable("spaCy is not installed.", remedy="pip install 'channelscribe[text]'")
            _loaded[language, name] = _load(language, name)
        return _loaded[language, name]


def _load(language: str, name: str | None) -> Pipeline:
    import spacy
    from spacy.util import is_package

    if name is None:
        return _rules(language, f"no spaCy pipeline is set for the language {language!r}")
    if name != SAMPLE and not is_package(name) and not Path(name).is_dir():
        return _rules(language, f"the spaCy pipeline {name!r} is not installed")
    if name == SAMPLE:
        verify_bundle()
    try:
        nlp = spacy.load(world.models_dir() / "ner" if name == SAMPLE else name)
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
