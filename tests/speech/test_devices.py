"""A speech worker a GPU, chosen without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.speech.devices import own_device, present_devices


@pytest.mark.parametrize(
    ("worker", "visible", "present", "expected"),
    [
        ("speech-0", None, ["0", "1"], "0"),
        ("speech-1", None, ["0", "1"], "1"),
        ("speech-5", None, ["0", "1"], "1"),
        ("speech-1", "2, 3", ["0", "1", "2", "3"], "3"),
        ("speech-0", "GPU-8932f937,GPU-1f2d", ["0", "1"], "GPU-8932f937"),
        ("speech-1", "3", ["0", "1", "2", "3"], None),  # somebody chose it
        ("speech-1", "", ["0", "1"], None),  # none is to be used
        ("speech-1", None, ["0"], None),
        ("speech-1", None, [], None),
        ("tcp://10.0.0.1", None, ["0", "1"], "1"),
        ("speech", None, ["0", "1"], None),
    ],
)
def test_each_worker_has_its_own(worker: str, visible: str | None, present: list[str], expected: str | None) -> None:
    assert own_device(worker, visible, present) == expected


def test_devices_are_counted_without_a_driver(tmp_path: Path) -> None:
    for name in ("nvidia10", "nvidia2", "nvidia0", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert present_devices(tmp_path) == ["0", "2", "10"]


def test_a_worker_takes_its_device_before_torch_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    from types import SimpleNamespace

    from tasks import worker_setup

    monkeypatch.setattr(worker_setup, "_import_engines", lambda: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    worker_setup.dask_setup(SimpleNamespace(name="speech-1"))  # type: ignore[arg-type]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
