"""Makes the sample's model of meaning and writes `data/models/meaning/`: a table of word vectors that are averaged.

Latent semantic analysis over sentences that are not held out: words that stand in the same sentences are alike. Some
words stand for others with a chance of `REPLACED`, so that the model knows words that nobody says on the channel.
Needs numpy and tokenizers. Some seconds, 100 kB.

Source: Deerwester et al., "Indexing by Latent Semantic Analysis" (JASIS 1990), on positive pointwise mutual information
as in Levy, Goldberg and Dagan, "Improving Distributional Similarity with Lessons Learned from Word Embeddings" (TACL
2015); frequent words count less by the weights of Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for
Sentence Embeddings" (ICLR 2017).
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from channelscribe.sample.world import models_dir
from sample_making.sentences import training_sentence

BUILD = Path("build/sample")
SENTENCES = 60_000
DIMENSIONS = 48
REPLACED = 0.3
SMOOTHING = 1e-3  # Arora et al.'s a
UNKNOWN = "[UNK]"
_WORD = re.compile(r"[a-z]+")

OTHERS = {
    "soup": "broth stew dinner", "bread": "loaf toast", "boil": "simmer heat", "chop": "cut dice", "oven": "stove",
    "bake": "roast", "grandmother": "granny family", "recipe": "dish", "cooking": "cuisine recipes meal",
    "pan": "skillet", "salt": "seasoning spice", "kitchen": "cook chef", "train": "railroad locomotive",
    "rain": "rainfall shower wet",
    "station": "terminal stop", "ticket": "fare", "carriage": "coach wagon", "late": "behind overdue delay",
    "passenger": "traveller rider", "suitcase": "luggage baggage", "platform": "quay", "timetable": "schedule",
    "storm": "gale tempest", "wind": "breeze", "fog": "mist haze", "snow": "blizzard", "cold": "chilly freezing",
    "warm": "mild hot", "weather": "forecast climate", "coast": "seaside shore", "temperatures": "degrees heat",
    "harbor": "port", "telescope": "observatory lens", "scientists": "researchers astronomers",
    "space": "astronomy cosmos universe", "star": "stars sky",
    "planet": "world planets", "rocket": "spacecraft spaceship",
    "comet": "meteor", "discovered": "found spotted", "letter": "mail message", "music": "song tune",
    "friend": "companion", "listener": "audience", "beautiful": "lovely", "dangerous": "risky unsafe",
}  # fmt: skip
"""Words that stand for others: of the sample's own vocabulary on the left."""

logger = logging.getLogger(__name__)


def words_of(text: str, rng: Random) -> list[str]:
    """The words in small letters, some of them replaced."""
    others = {word: told.split() for word, told in OTHERS.items()}
    found = _WORD.findall(text.lower())
    return [rng.choice(others[word]) if word in others and rng.random() < REPLACED else word for word in found]


def vectors(sentences: list[list[str]]) -> tuple[list[str], np.ndarray]:
    """The words, by their letters, and a row of DIMENSIONS for each."""
    counts = Counter(word for sentence in sentences for word in sentence)
    words = sorted(counts)
    number = {word: place for place, word in enumerate(words)}
    together = np.zeros((len(words), len(words)))
    for sentence in sentences:
        places = sorted({number[word] for word in sentence})
        together[np.ix_(places, places)] += 1
    alone = together.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        mutual = np.log(together * together.sum() / (alone * alone.T))
    left, strengths, _ = np.linalg.svd(np.nan_to_num(np.maximum(mutual, 0)))
    made = left[:, :DIMENSIONS] * np.sqrt(strengths[:DIMENSIONS])
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    shares = np.array([counts[word] for word in words]) / counts.total()
    return words, made * (SMOOTHING / (SMOOTHING + shares))[:, None]


def save(words: list[str], table: np.ndarray, folder: Path) -> None:
    """As safetensors and a tokenizer of whole words."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.concatenate([np.zeros((1, table.shape[1])), table]).astype("<f2")
    told = {"embeddings": {"dtype": "F16", "shape": list(rows.shape), "data_offsets": [0, rows.nbytes]}}
    header = json.dumps(told, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + rows.tobytes())
    vocabulary = {word: place for place, word in enumerate([UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def main(build: Path = BUILD, output: Path | None = None) -> None:
    """Writes into the package's data, or into ``output``; ``build`` is not needed."""
    rng = Random("meaning")
    words, table = vectors([words_of(training_sentence(rng, salad_share=0.0).text, rng) for _ in range(SENTENCES)])
    save(words, table, output or models_dir() / "meaning")
    logger.info("%d words", len(words))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
