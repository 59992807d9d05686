"""Batches follow free memory, threads follow the cores that a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from channelscribe.speech.memory_budget import cores, fitting_batch, known_size, weight_bytes

GIB = 1 << 30


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("small", 244_000_000),
        ("Systran/faster-whisper-tiny.en", 39_000_000),
        ("large-v3", 1_550_000_000),
        ("deepdml/faster-whisper-large-v3-turbo-ct2", 809_000_000),
        ("/models/large/mine", None),
    ],
)
def test_names_tell_sizes(name: str, parameters: int | None) -> None:
    size = known_size(name)
    assert (size.parameters if size else None) == parameters


def test_weights_cost_what_their_type_takes(tmp_path: Path) -> None:
    assert weight_bytes("large-v3", "float16") == 2 * 1_550_000_000
    assert weight_bytes("large-v3", "int8_float16") == 1_550_000_000
    (tmp_path / "model.bin").write_bytes(b"12345")
    assert weight_bytes(str(tmp_path), "int8") == 5
    assert weight_bytes("org/mine", "int8") is None


def test_the_batch_is_what_fits() -> None:
    sizes = [fitting_batch("large-v3", "float16", 5, free * GIB) for free in (1, 6, 12, 24, 140)]
    assert sizes[0] == 1  # even where the weights alone do not fit: the engine says so
    assert sizes == sorted(size or 0 for size in sizes)
    assert sizes[-1] == 64
    turbo = fitting_batch("large-v3-turbo", "float16", 5, 6 * GIB)
    assert turbo is not None
    assert turbo > (sizes[1] or 0)
    assert fitting_batch("org/mine", "float16", 5, GIB) is None


def test_threads_are_the_cores_of_the_container(tmp_path: Path) -> None:
    allowed = len(os.sched_getaffinity(0))
    quota = tmp_path / "cpu.max"
    assert cores(quota) == allowed  # no cgroup
    quota.write_text("max 100000\n")
    assert cores(quota) == allowed
    quota.write_text("50000 100000\n")
    assert cores(quota) == 1
    quota.write_text("100000000 100000\n")
    assert cores(quota) == allowed
