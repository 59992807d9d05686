"""Trains the sample's spaCy pipeline (`sentencizer`, `ner`) and writes `data/models/ner/`.

Needs spaCy. Learns from sentences that are not held out, with many of their names replaced by made-up ones so
that it goes by shape and context, and some of them written the way recognizers do: no capitals, no
punctuation. Labels PERSON, GPE, ORG and DATE, as in spaCy's English models. Half a CPU minute, 1 MB.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from random import Random

import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed

from channelscribe.sample.world import models_dir
from sample_making.sentences import Sentence, held_out_sentence, training_sentence

BUILD = Path("build/sample")
DOCUMENTS, EPOCHS, BATCH = 3000, 8, 32
MADE_UP_NAMES = 0.5
LOWER_CASED, UNPUNCTUATED = 0.12, 0.15
DROPOUT = 0.2

# Sounds of made-up words; a dash is none.
_ONSETS = "- b br c ch d dr f fl g gr h j k kr l m n p pr r s sh st t th tr v w y z"
_VOWELS = "a e i o u ai ea ia io ou"
_ENDINGS = "- n r l s t k m ck rd nd ss tt va ko ra na mi ja ski sson ton ville burg"
_BODIES = "Institute Museum Railway Observatory Service Agency Express Spoon Company University Society"
_KINDS = "Northern Southern Royal Golden National Western Green Central Silver Old"

_TOKENS_TO_VECTORS = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 48,
    "depth": 2,
    "embed_size": 1000,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
}
_RECOGNIZER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 32,
    "maxout_pieces": 2,
    "use_upper": True,
    "tok2vec": _TOKENS_TO_VECTORS,
}

logger = logging.getLogger(__name__)


def made_up_word(rng: Random) -> str:
    parts = [rng.choice(sounds.split()) for sounds in (_ONSETS, _VOWELS) * rng.randint(1, 2)]
    word = "".join([*parts, rng.choice(_ENDINGS.split())]).replace("-", "")
    return word.capitalize() if len(word) > 3 else made_up_word(rng)


def made_up_name(label: str, rng: Random) -> str | None:
    """A name of that kind which exists nowhere; None for a date."""
    if label == "PERSON":
        return " ".join(made_up_word(rng) for _ in range(rng.randint(1, 2)))
    if label == "GPE":
        return made_up_word(rng)
    if label == "ORG":
        return f"the {rng.choice([*_KINDS.split(), made_up_word(rng)])} {rng.choice(_BODIES.split())}"
    return None


def with_made_up_names(sentence: Sentence, rng: Random) -> Sentence:
    """The same sentence about others: each name is replaced with a chance of `MADE_UP_NAMES`."""
    text, entities, done = "", [], 0
    for first, last, label in sentence.entities:
        text += sentence.text[done:first]
        name = made_up_name(label, rng) if rng.random() < MADE_UP_NAMES else None
        name = name or sentence.text[first:last]
        if not text:
            name = name[0].upper() + name[1:]
        entities.append((len(text), len(text) + len(name), label))
        text, done = text + name, last
    return Sentence(text + sentence.text[done:], entities)


def without_punctuation(sentence: Sentence) -> Sentence:
    def bare(text: str) -> str:
        return re.sub(r"[.,?]", "", text)

    entities = [
        (len(bare(sentence.text[:first])), len(bare(sentence.text[:last])), label)
        for first, last, label in sentence.entities
    ]
    return Sentence(bare(sentence.text), entities)


def document(rng: Random) -> Sentence:
    """One to three training sentences as one text, as a person writes or as a recognizer does."""
    text, entities = "", []
    unpunctuated = rng.random() < UNPUNCTUATED
    for _ in range(rng.randint(1, 3)):
        sentence = with_made_up_names(training_sentence(rng, salad_share=0.05), rng)
        if unpunctuated:
            sentence = without_punctuation(sentence)
        start = len(text)
        entities += [(start + first, start + last, label) for first, last, label in sentence.entities]
        text += sentence.text + " "
    text = text[:-1].lower() if rng.random() < LOWER_CASED else text[:-1]
    return Sentence(text, entities)


def example(pipeline: Language, sentence: Sentence) -> Example:
    return Example.from_dict(pipeline.make_doc(sentence.text), {"entities": sentence.entities})


def train() -> Language:
    fix_random_seed(0)
    rng = Random("entities")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    pipeline.add_pipe("ner", config={"model": _RECOGNIZER})
    examples = [example(pipeline, document(rng)) for _ in range(DOCUMENTS)]
    optimizer = pipeline.initialize(lambda: examples)
    for epoch in range(EPOCHS):
        rng.shuffle(examples)
        losses: dict[str, float] = {}
        for start in range(0, DOCUMENTS, BATCH):
            pipeline.update(examples[start : start + BATCH], sgd=optimizer, losses=losses, drop=DROPOUT)
        logger.info("epoch %d: loss %.0f", epoch + 1, losses["ner"])
    return pipeline


def evaluate(pipeline: Language, count: int = 400) -> dict[str, float]:
    """F1 of exact spans on held-out sentences: as they are, other names, no punctuation, lower case."""
    rng = Random("entities, held out")
    plain = [held_out_sentence(rng) for _ in range(count)]
    ways = {
        "plain": plain,
        "made-up names": [with_made_up_names(sentence, rng) for sentence in plain],
        "no punctuation": [without_punctuation(sentence) for sentence in plain],
        "lower case": [Sentence(sentence.text.lower(), sentence.entities) for sentence in plain],
    }
    return {
        way: pipeline.evaluate([example(pipeline, sentence) for sentence in sentences])["ents_f"]
        for way, sentences in ways.items()
    }


def main(build: Path = BUILD) -> None:
    """Trains, logs F1 and writes into the package's data; ``build`` is not needed."""
    pipeline = train()
    for way, score in evaluate(pipeline).items():
        logger.info("F1, %s: %.3f", way, score)
    pipeline.meta.update(name="sample", description="Named entities of the channelscribe sample channel")
    models_dir().mkdir(parents=True, exist_ok=True)
    pipeline.to_disk(models_dir() / "ner")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
