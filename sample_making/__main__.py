"""``python -m sample_making``: makes everything of the sample world, from nothing, in order.

Takes an hour on two cores. The build folder (git-ignored) keeps the corpus and checkpoints.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from pathlib import Path

from sample_making.recordings import BUILD

STEPS = [
    "corpus",
    "recognizer_tokenizer",
    "recognizer_train",
    "recognizer_convert",
    "aligner",
    "episodes",
    "speakers",
    "entities",
    "punkt",
    "meaning",
    "checksums",
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sample_making", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="step", help=f"of {', '.join(STEPS)}; default: all")
    parser.add_argument("--build", type=Path, default=BUILD, help="where the corpus and checkpoints go")
    chosen = parser.parse_args()
    if unknown := set(chosen.steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    # Set before the libraries are imported: nothing here may ask a hub or report home.
    os.environ.update(HF_HUB_OFFLINE="1", PYANNOTE_METRICS_ENABLED="0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    for step in chosen.steps or STEPS:
        logging.getLogger(__name__).info("%s", step)
        importlib.import_module(f"sample_making.{step}").main(chosen.build)


if __name__ == "__main__":
    main()
