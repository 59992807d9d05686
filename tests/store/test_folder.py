"""A folder as the store: whole or absent, nothing left over, and what the disk says in one line."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from channelscribe.errors import StoreNotWritable, StoreUnreachable
from channelscribe.store import MediaStore

KEY = "audio_files/youtube/a.mp3"


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("a letter")
    with pytest.raises(StoreNotWritable, match="library"):
        MediaStore(str(tmp_path / "library")).put_bytes(b"x", KEY)


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.ENOSPC, StoreNotWritable, "Make room"),
        (errno.EROFS, StoreNotWritable, "right to write"),
        (errno.EACCES, StoreNotWritable, "right to write"),
        (errno.ESTALE, StoreUnreachable, os.strerror(errno.ESTALE)),
    ],
)
def test_what_the_disk_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], remedy: str
) -> None:
    store = MediaStore(str(tmp_path))

    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(kind, match=remedy):
        store.put_bytes(b"x", KEY)
    assert files(tmp_path) == []


def test_a_killed_writer_leaves_nothing_for_long(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from channelscribe.store import MediaStore, folder;"
        "folder.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL);"
        f"MediaStore(sys.argv[1]).put_bytes(b'half', {KEY!r})"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    store = MediaStore(str(tmp_path))
    assert len(files(tmp_path)) == 1
    assert store.list() == []
    assert not store.exists(KEY)
    store.put_bytes(b"whole", KEY)
    assert files(tmp_path) == [KEY]


def test_many_writers_of_one_key(tmp_path: Path) -> None:
    stores = [MediaStore(str(tmp_path)) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda store: store.put_bytes(b"same" * 10000, KEY), stores * 5))
    assert files(tmp_path) == [KEY]
    assert stores[0].read_bytes(KEY) == b"same" * 10000


def test_the_path_is_the_stored_file(tmp_path: Path) -> None:
    store = MediaStore(str(tmp_path))
    store.put_bytes(b"x", KEY)
    with store.local_path(KEY) as path:
        assert path == tmp_path / KEY


def test_a_full_disk(tmp_path: Path) -> None:
    """A real one: the kernel refuses to let the file grow, in the middle of a write."""
    program = (
        "import resource, signal, sys; from channelscribe.store import MediaStore;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000));"
        f"MediaStore(sys.argv[1]).put_bytes(bytes(8_000_000), {KEY!r})"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "StoreNotWritable" in ended.stderr.splitlines()[-1], ended.stderr
    assert "Make room" in ended.stderr
    assert files(tmp_path) == []


def test_empty_folders_go_with_their_last_file(tmp_path: Path) -> None:
    store = MediaStore(str(tmp_path / "library"))
    for key in ("originals/youtube/a/1.m4a", "originals/youtube/b/1.m4a"):
        store.put_bytes(b"x", key)
    store.delete("originals/youtube/a/1.m4a")
    assert [path.name for path in (tmp_path / "library" / "originals" / "youtube").iterdir()] == ["b"]
