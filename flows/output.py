"""What a person or a program reads: stdout for results, stderr for progress, the exit code. All printing is here."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from channelscribe.errors import ChannelscribeError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_SOME_FAILED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
"""Done; could not do it; wrong usage; done, but some videos failed; stopped by the person."""


def some_failed(done: Sequence[Any], failed: Sequence[Any]) -> int:
    """The exit code of a command over several things, each of which may fail alone."""
    if failed:
        return EXIT_SOME_FAILED if done else EXIT_FAILED
    return EXIT_DONE


def as_json(error: ChannelscribeError) -> dict[str, str]:
    """A failure, as `--json` tells of it."""
    return {"reason": error.reason, "message": error.message, "remedy": error.remedy}


def say(text: str = "") -> None:
    """A line of the result. Control characters of titles never reach the terminal."""
    sys.stdout.write(printable(text) + "\n")


def tell(text: str = "") -> None:
    """A line about what is going on."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; cells are data, never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 160
    Console(file=sys.stdout, width=width).print(made)


def printable(text: str) -> str:
    """Without control characters, and without the marks that turn the direction of what follows."""
    turning = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    return "".join(c if c in "\n\t" or (ord(c) not in turning and c.isprintable()) else "�" for c in text)


def shortened(text: str, width: int = 60) -> str:
    """In one line; on a terminal cut to `width` characters. A file or another program gets all of it."""
    words = " ".join(text.split())
    return (
        words if len(words) <= width or not (sys.stdout.isatty() and sys.stderr.isatty()) else f"{words[: width - 1]}…"
    )


def person() -> str:
    """Who is at the keyboard, for the records of what people decide."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return "somebody"


def duration(seconds: float) -> str:
    """65.4 to 1:05; 3700 to 1:01:40."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
