"""`channelscribe` and `python -m channelscribe`: the project comes first on the path, then the command line runs."""

from __future__ import annotations

import sys

from channelscribe.project import enter


def main() -> int:
    """The exit code of the command; `flows` is what `enter` made it."""
    enter()
    from importlib import import_module

    code: int = import_module("flows.cli").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
