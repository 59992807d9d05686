"""Passes a benchmark's output on, and keeps its last line in `benchmarks/results/NAME.json`, with where and when.

    make bench NAME=reading                              # does so
    python -m benchmarks.keep < what-it-printed.txt      # on the machine where it was measured

The files are committed; `make bench-report` makes docs/reference/benchmarks.md and the README's figures from them. What
ends without figures, as the benchmark of a GPU does where there is none, leaves what was kept before.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("dask", "prefect", "spacy", "torch", "whisperx")
_WORDS_THAT_SAY_NOTHING = ("(R)", "(TM)", "Processor", "CPU")


def result_of(output: str) -> dict[str, Any] | None:
    """The JSON object of the last line; None where it is no benchmark's."""
    lines = output.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return None
    return found if isinstance(found, dict) and {"name", "figures", "goal", "met"} <= set(found) else None


def keep(result: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write a result with today's date, this machine and the versions of what was measured."""
    path = folder / f"{result['name']}.json"
    whole = {
        **result,
        "state": "measured",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": dict(sorted(versions().items())),
    }
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, str | int | None]:
    return {"cores": os.cpu_count(), "cpu": cpu_model(), "gpu": gpu_model(), "python": platform.python_version()}


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Such as "AMD EPYC"; where nobody tells, the architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    name = next((line.partition(":")[2] for line in lines if line.startswith("model name")), platform.machine())
    for word in _WORDS_THAT_SAY_NOTHING:
        name = name.replace(word, " ")
    return " ".join(name.split())


def gpu_model() -> str | None:
    """As its driver calls it."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return told.strip().splitlines()[0] if told.strip() else None


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    lines = []
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    result = result_of("".join(lines))
    if result is None:
        print("No figures: nothing is kept.", file=sys.stderr)
    else:
        print(f"Kept in benchmarks/results/{keep(result).name}; make bench-report writes the docs.", file=sys.stderr)


if __name__ == "__main__":
    main()
