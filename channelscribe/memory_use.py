"""The most memory that this process had, for the record of what stages take.

Needs Linux for a mark that can be set back (proc(5), `clear_refs` and `VmHWM`); elsewhere the mark is that of the
process's whole life. Leaves nothing behind.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["peak_rss_bytes", "reset_peak_rss"]

_RESET_PEAK = "5"


def peak_rss_bytes() -> int:
    """Bytes of resident memory at the peak since `reset_peak_rss`, or since the process began.

    Linux' own figure first: what getrusage tells there begins with the parent's.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def reset_peak_rss() -> None:
    """Let the peak begin anew with what is in memory now, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
