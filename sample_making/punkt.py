"""Trains NLTK's Punkt sentence splitter and writes `data/models/nltk_data/tokenizers/punkt_tab/english/`.

Needs NLTK. `NLTK_DATA` set to `data/models/nltk_data` makes NLTK and whisperx use it, and download nothing.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import nltk
from nltk.tokenize.punkt import PunktTrainer, save_punkt_params

from channelscribe.sample.world import models_dir
from sample_making.sentences import training_sentence

BUILD = Path("build/sample")
SENTENCES = 8000
TITLES = ("Dr.", "Mr.", "Mrs.", "St.", "Prof.")
ABBREVIATIONS = {"dr", "mr", "mrs", "ms", "st", "prof", "e.g", "i.e", "vs"}


def text(rng: Random) -> str:
    """Training sentences, one in five of them after a title, so that its full stop is seen to end nothing."""
    sentences = []
    for _ in range(SENTENCES):
        title = f"{rng.choice(TITLES)} " if rng.random() < 0.2 else ""
        sentences.append(title + training_sentence(rng, salad_share=0).text)
    return " ".join(sentences)


def main(build: Path = BUILD) -> None:
    """Trains and writes into the package's data; ``build`` is not needed."""
    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train(text(Random("punkt")))
    parameters = trainer.get_params()
    # So little text makes abbreviations of words that often end a sentence ("bowl.").
    parameters.abbrev_types = set(ABBREVIATIONS)
    parameters.collocations = set()
    root = models_dir() / "nltk_data"
    folder = root / "tokenizers" / "punkt_tab" / "english"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    nltk.data.path.insert(0, str(root))  # NLTK writes nowhere else, and only where nobody else may read
    save_punkt_params(parameters, dir=str(folder))
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    main()
