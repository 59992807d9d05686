"""docs/operating.md: the settings that it names exist, and its pictures are made where there is a Chromium."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from channelscribe.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
DOC = (DOCS / "operating.md").read_text(encoding="utf-8")


def test_the_settings_that_it_names_are_there() -> None:
    sections = {name: field.default for name, field in Settings.model_fields.items()}
    named = [
        pair
        for pair in re.findall(r"`([a-z]+)\.([a-z_]+)`", DOC)
        if pair[0] in sections and pair[1] not in {"yaml", "toml"}
    ]
    assert len(named) > 5
    for section, name in named:
        assert name in type(sections[section]).model_fields, f"{section}.{name}"


def test_without_chromium_the_pictures_are_skipped_with_the_reason() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "screenshots.py")], env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "no Chromium" in done.stdout) == (0, True), done.stderr
