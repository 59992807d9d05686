"""Small spaCy pipelines of our own, trained in a second, for what the sample's has not: lemmas, tags, sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

WORDS = ["The", "trains", "were", "late", "Anna", "saw", "them"]
TAGS = ["DET", "NOUN", "AUX", "ADJ", "PROPN", "VERB", "PRON"]
LEMMAS = ["the", "train", "be", "late", "Anna", "see", "they"]


def full_pipeline() -> Language:
    """English with `senter`, `morphologizer`, `trainable_lemmatizer`; it knows two sentences without full stops."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    width: dict[str, Any] = {"@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 32,
                             "depth": 2, "embed_size": 200, "window_size": 1, "maxout_pieces": 2,
                             "subword_features": True}  # fmt: skip
    tagger = {"@architectures": "spacy.Tagger.v2", "nO": None, "normalize": False, "tok2vec": width}
    for name in ("senter", "morphologizer", "trainable_lemmatizer"):
        rare = {"min_tree_freq": 1} if name == "trainable_lemmatizer" else {}
        nlp.add_pipe(name, config={"model": tagger, **rare})
    reference = {
        "words": WORDS,
        "sent_starts": [True, False, False, False, True, False, False],
        "pos": TAGS,
        "morphs": [""] * len(WORDS),
        "lemmas": LEMMAS,
    }
    examples = [Example.from_dict(nlp.make_doc(" ".join(WORDS)), reference)]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(60):
        nlp.update(examples, sgd=optimizer)
    return nlp


def saved(nlp: Language, folder: Path, version: str = "1.0.0") -> str:
    """The pipeline as a folder, as `text.models` takes it."""
    nlp.meta["version"] = version
    nlp.to_disk(folder)
    return str(folder)
