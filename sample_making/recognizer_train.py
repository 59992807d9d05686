"""Trains the recognizer from nothing, on two single-threaded processes that share the weights.

Needs the corpus and the tokenizer in the build folder. Leaves ``recognizer.pt`` there, written every 90
seconds; ``--resume`` goes on from it. The curriculum and the learning rate follow CPU time, so a busy machine
changes nothing but the wait: 34 CPU minutes a process by default.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.multiprocessing
from transformers import WhisperForConditionalGeneration

from sample_making.recognizer_curriculum import draw_window
from sample_making.recognizer_losses import losses, weighted
from sample_making.recognizer_model import AuxiliaryHeads, initialize, new_model
from sample_making.recognizer_tokenizer import load_tokenizer
from sample_making.recognizer_windows import (
    LabelledRecording,
    label,
    make_batch,
)
from sample_making.recordings import BUILD, load_corpus

MINUTES = 34.0
LEARNING_RATE = 1.5e-3
PROCESSES = 2

_SECONDS_A_STEP = 50.0
_WARM_UP_STEPS = 40
_SAVE_EVERY = 90.0
_PHONEMES = 128  # more than espeak's English voices use

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One training: CPU minutes a process, and the point of the curriculum where they begin."""

    build: Path
    minutes: float
    first: float
    peak_rate: float


def checkpoint_path(build: Path) -> Path:
    return build / "recognizer.pt"


def train_process(
    number: int,
    model: WhisperForConditionalGeneration,
    heads: AuxiliaryHeads,
    recordings: list[LabelledRecording],
    plan: Plan,
) -> None:
    """One of the processes; number 0 also writes the checkpoints."""
    _keep_freed_memory()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    seed = number + int(plan.first * 1e6)
    torch.manual_seed(seed)
    # A quarter faster where the processor multiplies bfloat16 itself, far slower where it does not.
    half_precision = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_avx512_bf16_supported()
    rng = Random(seed)
    parameters = [p for p in [*model.parameters(), *heads.parameters()] if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.peak_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    started, saved, step, recent = time.process_time(), time.monotonic(), 0, None
    while (done := (time.process_time() - started) / (60 * plan.minutes)) < 1:
        progress = plan.first + (1 - plan.first) * done
        rate = learning_rate(plan.peak_rate, progress, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seconds, fill = draw_window(progress, rng)
        batch = make_batch(recordings, seconds, fill, max(2, int(_SECONDS_A_STEP / seconds)), rng)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half_precision):
            parts = losses(model, heads, batch)
        optimizer.zero_grad()
        weighted(parts, progress).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        values = torch.tensor([part.item() for part in parts.values()])
        recent = values if recent is None else 0.95 * recent + 0.05 * values
        if step % 25 == 0:
            figures = " ".join(f"{name} {value:.3f}" for name, value in zip(parts, recent, strict=True))
            logger.info("%d step %d at %.3f rate %.2e: %s", number, step, progress, rate, figures)
        if number == 0 and time.monotonic() - saved > _SAVE_EVERY:
            save(plan.build, model, heads, progress)
            saved = time.monotonic()


def learning_rate(peak: float, progress: float, step: int) -> float:
    """A cosine over the whole curriculum, which resuming enters where it was left, after a short warm-up."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * min(1, (step + 1) / _WARM_UP_STEPS) * (0.97 * cosine + 0.03)


def _keep_freed_memory() -> None:
    """Tells glibc to reuse large blocks: giving them back after each step costs a tenth of the time."""
    libc, trim_threshold, mmap_max = ctypes.CDLL(None), -1, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)


def save(build: Path, model: WhisperForConditionalGeneration, heads: AuxiliaryHeads, progress: float) -> None:
    """Writes the checkpoint whole or not at all."""
    target = checkpoint_path(build)
    draft = target.with_suffix(".tmp")
    torch.save({"model": model.state_dict(), "heads": heads.state_dict(), "progress": progress}, draft)
    draft.replace(target)


def main(
    build: Path = BUILD,
    *,
    minutes: float | None = None,
    resume: bool = False,
    first: float | None = None,
    peak_rate: float = LEARNING_RATE,
) -> None:
    """Trains; ``resume`` goes on from the checkpoint, where it stood or at ``first`` of the curriculum."""
    tokenizer = load_tokenizer(build)
    numbers: dict[str, int] = {}
    recordings = [label(recording, tokenizer, numbers) for recording in load_corpus(build)]
    if len(numbers) >= _PHONEMES:
        raise RuntimeError(f"{len(numbers)} phonemes are more than the classifier holds")
    logger.info("%d recordings, %d phonemes", len(recordings), len(numbers))
    model, heads = new_model(tokenizer.token_to_id("Ġ")), AuxiliaryHeads(_PHONEMES)
    start = 0.0
    if resume:
        checkpoint = torch.load(checkpoint_path(build))
        model.load_state_dict(checkpoint["model"])
        heads.load_state_dict(checkpoint["heads"])
        start = checkpoint["progress"] if first is None else first
    else:
        torch.manual_seed(0)
        initialize(model)
    plan = Plan(build, (1 - start) * MINUTES if minutes is None else minutes, start, peak_rate)
    _run(model, heads, recordings, plan)
    save(build, model, heads, 1.0)


def _run(
    model: WhisperForConditionalGeneration,
    heads: AuxiliaryHeads,
    recordings: list[LabelledRecording],
    plan: Plan,
) -> None:
    """Runs the processes; they add their steps to the same weights without a lock (Hogwild)."""
    model.share_memory()
    heads.share_memory()
    context = torch.multiprocessing.get_context("fork")
    jobs = [
        context.Process(target=train_process, args=(number, model, heads, recordings, plan))
        for number in range(PROCESSES)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        if job.exitcode:
            raise RuntimeError(f"a training process ended with {job.exitcode}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--minutes", type=float, help="CPU minutes a process (default: what is left of the curriculum)")
    parser.add_argument("--first", type=float, help="where on the curriculum (0 to 1) to resume")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="the peak learning rate")
    chosen = parser.parse_args()
    main(chosen.build, minutes=chosen.minutes, resume=chosen.resume, first=chosen.first, peak_rate=chosen.rate)
