"""Files whole or absent, and content addresses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import SecretStr

from channelscribe.errors import StoreNotWritable
from channelscribe.files import atomic_write, content_key, sha256_file
from channelscribe.settings.audio import AudioOptions, NormalizeOptions


def test_a_files_hash(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_a_break_leaves_the_file_before_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreNotWritable, match=r"Choose another place"), atomic_write(tmp_path / "no" / "x"):
        pass
    with pytest.raises(StoreNotWritable, match=r"No space left"), atomic_write(path) as file:
        raise OSError(28, "No space left on device")
    assert path.read_text() == "before"


def test_a_key_never_changes() -> None:
    assert content_key("a", {"b": 1, "a": (1, 2)}) == (
        "aa2da737aa03b0d99fbe381f7a84591afebbd71aff03cb65d6951aa2b1c75c79"
    )


def test_what_counts_and_what_does_not() -> None:
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key({1, 2, 3}) == content_key({3, 2, 1})
    assert content_key([1, 2]) == content_key((1, 2)) != content_key([2, 1])
    assert len({content_key(*each) for each in (("a", "b"), ("ab",), ("a", "b", None), ("b", "a"))}) == 4
    assert content_key(AudioOptions()) != content_key(AudioOptions(normalize=NormalizeOptions(target_lufs=-14)))
    assert content_key(Path("a/b")) == content_key("a/b")


@pytest.mark.parametrize("part", [SecretStr("x"), object(), b"x", {1: 2}])
def test_what_has_no_canonical_form(part: object) -> None:
    with pytest.raises(TypeError):
        content_key(part)
    with pytest.raises(ValueError, match="JSON"):
        content_key(float("nan"))
