"""With several workers (`pytest -n 3`), tests that share what is dear go to one of them.

Dear are the stack whose library the demo fills, the stack of tests that need none, and PyTorch with WhisperX, which a
process loads for ten seconds. These three begin first, since they take longest; the rest is done meanwhile, and after.
pytest-xdist's own groups (`--dist loadgroup`, 3.8.0) do nothing with pytest 9.2: they rename tests by an attribute that
is no longer read.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NEEDS_A_STACK = re.compile(r"\bmark\.stack\b")
USES_THE_LIBRARY = re.compile(r"\b(library: Database|demo: Ended)\b")
USES_A_SHARED_STACK = re.compile(r"\b(stack: LocalStack|cli: Cli)\b")
ORDER = ("library", "stack", "speech")


@cache
def scope_of(file: str) -> str:
    """`library` or `stack` for a file with tests on a shared stack, `speech` for one of the engines, else the file."""
    if file.startswith("tests/speech/"):
        return "speech"
    text = (ROOT / file).read_text(encoding="utf-8")
    if NEEDS_A_STACK.search(text) is None:
        return file
    if USES_THE_LIBRARY.search(text):
        return "library"
    return "stack" if USES_A_SHARED_STACK.search(text) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those on a shared stack first, otherwise in the order of the files."""

    def place(item: pytest.Item) -> int:
        scope = scope_of(item.nodeid.partition("::")[0])
        return ORDER.index(scope) if scope in ORDER else len(ORDER)

    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class StacksApart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid.partition("::")[0])

    return StacksApart(config, log)
