"""Files that are there whole or not at all. Needs nothing.

A process that is killed leaves `.NAME.….part` beside the file, and what was there before stays.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from channelscribe.errors import StoreNotWritable

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """An open file that becomes `path` when the block ends well; a link is replaced, not followed.

    Raises StoreNotWritable, as for a full disk.
    """
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _not_writable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(unfinished).chmod(0o666 & ~mask)  # mkstemp's files are for their owner only
        Path(unfinished).replace(path)
    except OSError as error:
        raise _not_writable(path, error) from error
    finally:
        with suppress(OSError):
            Path(unfinished).unlink()


def _not_writable(path: Path, error: OSError) -> StoreNotWritable:
    return StoreNotWritable(f"{path}: {error.strerror or error}.", remedy="Choose another place, or make room there.")
