"""With several workers (`pytest -n 2`), one of them has the engines, so that there is one stack a run.

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
ENGINES = re.compile(r"\bmark\.(stack|speech)\b")


@cache
def scope_of(file: str) -> str:
    """`engines` for a file with tests that need them, else the file itself."""
    return "engines" if ENGINES.search((ROOT / file).read_text(encoding="utf-8")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class OneHasTheEngines(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid.partition("::")[0])

    return OneHasTheEngines(config, log)
