"""Live progress that a person can follow: one line a video on a terminal, one line a change anywhere else.

It reads the catalogue, which is the truth about videos wherever the work runs; the engines' logs are in a file.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from channelscribe.catalogue import stats
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.stats import Activity
from channelscribe.errors import CatalogueError
from flows.output import duration, printable, shortened, tell

POLL_SECONDS = 0.5
"""On a terminal; lines in a file are in no hurry."""
WIDEST = 44
"""Characters of a title on a terminal."""
DOING = {
    None: "queued",
    "download": "downloading",
    "prepare": "preparing the audio",
    "recognize": "transcribing",
    "align": "aligning words",
    "diarize": "telling speakers apart",
    "read": "reading",
    "embed": "reading",
    "publish": "publishing",
}
ENDED = {
    "published": "done",
    "unavailable": "left out",
    "retrying": "failed, will be tried again",
    "waiting": "waiting",
}


class Display:
    """Follows every video that is in work while the `with` block runs; `expected`: how many there will be, if known."""

    def __init__(self, catalogue: Database, expected: int | None = None) -> None:
        self.catalogue = catalogue
        self.expected = expected
        self.started = time.monotonic()
        self.last: dict[int, Activity] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="display", daemon=True)
        console = Console(file=sys.stderr)
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        if self._live:
            self._live.stop()

    def _follow(self) -> None:
        while not self._over.wait(POLL_SECONDS if self._live else 2 * POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            found = self.catalogue.read(stats.activity, list(self.last))
        except CatalogueError:
            return  # the run itself will tell
        for item in found:
            if self._is_news(item):
                self._tell(item)
            self.last[item.pk] = item
        if self._live:
            self._live.update(self._table(found))

    def _is_news(self, item: Activity) -> bool:
        before = self.last.get(item.pk)
        if before is None:
            return item.in_work
        return (before.step, before.in_work) != (item.step, item.in_work)

    def _tell(self, item: Activity) -> None:
        # On a terminal the table shows the steps; only endings become lines that stay.
        if self._live and item.in_work:
            return
        since = duration(time.monotonic() - self.started)
        line = f"[{since:>5}] {self._place(item)}{shortened(item.title or item.video_id, WIDEST)}: {phrase(item)}"
        if self._live:
            self._live.console.print(Text(printable(line)))
        else:
            tell(line)

    def _place(self, item: Activity) -> str:
        """Such as "3 of 10 " before the third one that has ended."""
        if item.in_work or not self.expected:
            return ""
        ended = 1 + sum(not each.in_work for pk, each in self.last.items() if pk != item.pk)
        return f"{ended} of {max(self.expected, ended)} "

    def _table(self, found: list[Activity]) -> Table:
        table = Table.grid(padding=(0, 2))
        for item in found:
            if item.in_work and item.step:
                percent = "" if item.step_fraction is None else f"{item.step_fraction:4.0%}"
                table.add_row(
                    Text(printable(shortened(item.title, WIDEST))), Text(DOING.get(item.step, item.step)), percent
                )
        queued = sum(1 for item in found if item.in_work and not item.step)
        done = sum(1 for item in found if not item.in_work)
        of = f" of {max(self.expected, len(found))}" if self.expected else ""
        table.add_row(
            Text(f"{done}{of} done, {queued} queued", style="dim"), "", duration(time.monotonic() - self.started)
        )
        return table


def phrase(item: Activity) -> str:
    """What to say of a video now."""
    if item.in_work:
        return DOING.get(item.step, item.step or "")
    said = ENDED.get(item.state, "stopped, goes on with the next run")
    if item.state in {"unavailable", "retrying", "waiting"} and item.message:
        said += f" ({item.reason}): {item.message}"
    return said
