"""What the library says during a run is shown with the run, wherever it works.

Prefect gives the loggers of PREFECT_LOGGING_EXTRA_LOGGERS its handler but no level: in a worker they have the root's,
which is WARNING, and the lines of the library were seen only where the command line had set another.
"""

from __future__ import annotations

import logging
from functools import cache

from tasks.resources import own_settings

LOGGERS = ("channelscribe", "tasks")


@cache
def tell_runs() -> None:
    """Once a process: our loggers have the level of `log_level`, where nobody gave them one."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(own_settings().log_level)
