"""What is said during a run is shown with the run, wherever it works, and in words for people."""

from __future__ import annotations

import logging
from functools import cache

from channelscribe.errors import ChannelscribeError

__all__ = ["tell_runs"]

LOGGERS = ("channelscribe", "tasks")
ENGINES = ("prefect.engine", "prefect.flow_runs", "prefect.task_runs", "prefect.flow_engine", "prefect.task_engine")


@cache
def tell_runs(level: str) -> None:
    """Once a process: our loggers have this level, where nobody gave them one; our failures are told in one line.

    Prefect gives the loggers of PREFECT_LOGGING_EXTRA_LOGGERS its handler but no level: in a worker they have the
    root's, which is WARNING, and the lines of the library would be seen only where the command line had set another.
    """
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(level)
    if level != "DEBUG":
        for name in ENGINES:
            logging.getLogger(name).addFilter(in_one_line)


def in_one_line(record: logging.LogRecord) -> bool:
    """A filter: of a failure that we know, what it says and what to do about it, not where in the program it was found.

    Prefect tells a failed run's error twice: where it happens, and when the process ends.
    """
    error = record.exc_info[1] if record.exc_info else None
    if not isinstance(error, ChannelscribeError):
        return True
    record.exc_info, record.exc_text = None, None
    if record.getMessage().startswith(("Engine execution exited", "Execution of flow run")):
        return False
    record.msg, record.args = "%s", (f"{error} [{error.reason}]",)
    return True
