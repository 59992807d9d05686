"""Writes `data/models/SHA256SUMS`, which `channelscribe.sample.world.verify` compares the models with.

The last step of making: run it after any model changed. The format is that of `sha256sum --check`.
"""

from __future__ import annotations

from pathlib import Path

from channelscribe.sample.world import CHECKSUMS, model_files, models_dir, sha256

BUILD = Path("build/sample")


def main(build: Path = BUILD) -> None:
    """Lists every model file; ``build`` is not needed."""
    lines = [f"{sha256(path)}  {path.relative_to(models_dir()).as_posix()}\n" for path in model_files()]
    (models_dir() / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
