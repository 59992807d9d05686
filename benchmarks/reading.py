"""A reading against bare spaCy on the same text, and the memory of a long one.

    make bench NAME=reading

A is `nlp.pipe` of the sample's pipeline, as it is, over the texts of the transcripts: it finds tokens, sentences and
entities. B is what the task does with the transcripts: `read_all` with every step on, and the reading as it is kept.
Both in turn, ROUNDS times, in CPU seconds of this process, which neighbours on the machine change least; the figure is
the median of the rounds' ratios. The talks are of 17 minutes, which by default are not divided by topic; a row of its
own tells what that would add. Then the peak memory of processes of their own that read one hour and ten hours.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random

from benchmarks.report import print_report
from channelscribe.settings.options import TextOptions
from channelscribe.text.models import SAMPLE, load_pipeline
from channelscribe.text.reading import read, read_all
from channelscribe.transcript import Segment, Transcript, Word
from sample_making.sentences import training_sentence

ROUNDS = 7
TRANSCRIPTS, WORDS = 16, 2500
WORDS_AN_HOUR = 9000
OPTIONS = TextOptions(models={"en": SAMPLE})


def spoken(words: int, seed: str) -> Transcript:
    """A talk of the sample's sentences, 0.4 s a word, a segment a sentence."""
    rng, clock, segments = Random(seed), 0.0, []
    while clock < words * 0.4:
        text = training_sentence(rng, salad_share=0).text
        words_at = [
            (w, round(clock + 0.4 * n, 3), round(clock + 0.4 * n + 0.35, 3)) for n, w in enumerate(text.split())
        ]
        placed = [Word(w, start, end, 0.9, "S0") for w, start, end in words_at]  # milliseconds, as aligners tell
        segments.append(Segment(clock, placed[-1].end, text, "S0", words=placed))
        clock = round(clock + 0.4 * len(placed), 3)
    return Transcript("en", clock, segments)


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def with_steps(transcripts: list[Transcript], *steps: str, **changed: int) -> Callable[[], object]:
    options = OPTIONS.model_copy(update={"steps": steps or OPTIONS.steps, **changed})

    def work() -> None:
        for reading in read_all(transcripts, options):
            reading.to_dict()

    return work


def peak_megabytes(hours: int) -> float:
    """Of a process of its own that reads so many hours."""
    command = [sys.executable, "-m", "benchmarks.reading", "--hours", str(hours)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(rounds: int) -> None:
    one, ten = peak_megabytes(1), peak_megabytes(10)  # while this process is small: a child's peak begins with it
    transcripts = [spoken(WORDS, f"talk {number}") for number in range(TRANSCRIPTS)]
    texts = [transcript.text for transcript in transcripts]
    words = sum(len(text.split()) for text in texts)
    nlp = load_pipeline("en", OPTIONS).nlp
    read(transcripts[0], OPTIONS)

    def bare() -> None:
        for _ in nlp.pipe(texts):
            pass

    ways: dict[str, Callable[[], object]] = {
        "spaCy, bare": bare,
        "a reading, as by default": with_steps(transcripts),
        "with topics, as of long talks": with_steps(transcripts, topics_from_words=1),
        "without key phrases": with_steps(transcripts, "sentences", "tokens", "entities"),
        "sentences and entities": with_steps(transcripts, "sentences", "entities"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            seconds[name].append(cpu_seconds(work))
    rows = [
        [name, f"{words / statistics.median(took):,.0f} words/s", f"{ratio(seconds, name):.2f} x spaCy's"]
        for name, took in seconds.items()
    ]
    rows += [["one hour, peak memory", f"{one:.0f} MB", ""], ["ten hours", f"{ten:.0f} MB", f"{ten / one:.2f} x"]]
    figures = {
        "reading.words_per_second_over_spacy": ratio(seconds, "a reading, as by default"),
        "reading.with_topics_over_spacy": ratio(seconds, "with topics, as of long talks"),
        "reading.words_per_second": words / statistics.median(seconds["a reading, as by default"]),
        "reading.ten_hours_over_one": ten / one,
    }
    goal = {"reading.words_per_second_over_spacy": ">= 0.9", "reading.ten_hours_over_one": "<= 1.5"}
    print_report("reading", ["what", "median", "rate"], rows, figures, goal)


def ratio(seconds: dict[str, list[float]], name: str) -> float:
    """Words per second over bare spaCy's, paired by rounds."""
    return statistics.median(a / b for a, b in zip(seconds["spaCy, bare"], seconds[name], strict=True))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hours"]:
        talk = spoken(int(sys.argv[2]) * WORDS_AN_HOUR, "long")
        read(talk, OPTIONS)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(peak / (2**20 if sys.platform == "darwin" else 2**10))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
