"""With several workers (`pytest -n 2`), all tests that use the shared stack go to one of them: one stack a run.

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
USES_THE_SHARED_ONE = re.compile(r"\b(stack: LaptopStack|cli: Cli|library: Catalogue)\b")


@cache
def scope_of(file: str) -> str:
    """`stack` for a file with tests on the shared stack, else the file itself."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return "stack" if NEEDS_A_STACK.search(text) and USES_THE_SHARED_ONE.search(text) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class OneHasTheStack(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid.partition("::")[0])

    return OneHasTheStack(config, log)
