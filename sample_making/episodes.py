"""Makes the media and the scripts of the sample channel: `data/media/`, `data/scripts/`, `data/held_out/`.

Needs espeak-ng and the ffmpeg wheel. Everything that is said is held out from training. The times in the
scripts are espeak's own; making stops when encoding moved the audio by 10 ms or more. The same code makes the
same files.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np

from channelscribe.sample import script as world_script
from channelscribe.sample.script import Script
from channelscribe.sample.world import data_dir
from sample_making import programme, sound
from sample_making.espeak import SpokenWord, Synthesizer
from sample_making.programme import Filler, Plan, Speaker, Talk
from sample_making.sentences import VOICES, Sentence, held_out_sentence

BUILD = Path("build/sample")
HELD_OUT_FILES, SENTENCES_A_FILE = 4, 10
LARGEST_DELAY = 0.010
LIVELINESS = 45  # pitch range of every voice, 0 to 100
DRAWS = 100_000
SPEECH_PEAK = 0.6

logger = logging.getLogger(__name__)


class Tape:
    """A recording under construction: audio and script grow together, on one timeline."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self.synthesizer = synthesizer
        self.script = Script([], [], [], [])
        self._pieces: list[np.ndarray] = []
        self._length = 0

    @property
    def audio(self) -> np.ndarray:
        return np.concatenate(self._pieces)

    def add(self, audio: np.ndarray) -> None:
        self._pieces.append(audio)
        self._length += len(audio)

    def say(self, sentence: Sentence, speaker: Speaker) -> None:
        """Appends one sentence, and nothing after it: pauses are the caller's."""
        spoken = self.synthesizer.say(sentence.text, speaker.voice, speaker.rate, speaker.pitch, LIVELINESS)
        self._note(sentence, speaker.name, spoken.words, self._length / sound.SAMPLE_RATE)
        self.add(spoken.audio * SPEECH_PEAK / np.abs(spoken.audio).max())

    def _note(self, sentence: Sentence, speaker: str, spoken: list[SpokenWord], shift: float) -> None:
        words = [
            world_script.Word(word.text, round(word.start + shift, 3), round(word.end + shift, 3), speaker)
            for word in spoken
        ]
        spans = [match.span() for match in re.finditer(r"\S+", sentence.text)]
        for first, last, label in sentence.entities:
            inside = [word for word, (start, end) in zip(words, spans, strict=True) if start < last and end > first]
            text, number = sentence.text[first:last], len(self.script.sentences)
            self.script.entities.append(
                world_script.Entity(text, label, number, first, last, inside[0].start, inside[-1].end)
            )
        self.script.words.extend(words)
        self.script.sentences.append(world_script.Sentence(sentence.text, speaker, words[0].start, words[-1].end))

    def close_turn(self, speaker: Speaker, first_sentence: int) -> None:
        """Notes that the sentences from ``first_sentence`` on were one turn."""
        turn = world_script.Turn(
            speaker.name,
            speaker.voice,
            self.script.sentences[first_sentence].start,
            self.script.sentences[-1].end,
        )
        self.script.turns.append(turn)


def draw(pattern: str, rng: Random, used: set[str]) -> Sentence:
    """A held-out sentence that matches ``pattern`` and was not used yet; LookupError when there is none."""
    wanted = re.compile(pattern)
    for _ in range(DRAWS):
        sentence = held_out_sentence(rng)
        if sentence.text not in used and wanted.match(sentence.text):
            used.add(sentence.text)
            return sentence
    raise LookupError(f"no held-out sentence like {pattern!r}: change the programme")


def record(plan: Plan, synthesizer: Synthesizer) -> Tape:
    """Speaks and plays one episode; the id is the seed."""
    rng, noise_rng = Random(plan.id), np.random.default_rng(sum(plan.id.encode()))
    tape = Tape(synthesizer)
    used: set[str] = set()
    names = list(dict.fromkeys(part.speaker.name for part in plan.parts if isinstance(part, Talk)))
    tape.add(sound.silence(0.6))
    for part in plan.parts:
        if isinstance(part, Filler):
            tape.add(filler(part, noise_rng))
            tape.add(sound.silence(0.5))
        else:
            other = next((name for name in names if name != part.speaker.name), part.speaker.name)
            _talk(tape, part, other, rng, used)
            tape.add(sound.silence(rng.uniform(0.4, 0.9)))
    tape.add(sound.silence(0.4))
    return tape


def _talk(tape: Tape, talk: Talk, other: str, rng: Random, used: set[str]) -> None:
    first = len(tape.script.sentences)
    for number, line in enumerate(talk.lines.split()):
        if number:
            tape.add(sound.silence(rng.uniform(0.25, 0.8)))
        pattern = programme.LINES[line].format(name=talk.speaker.name, place=talk.speaker.place, other=other.split()[0])
        tape.say(draw(pattern, rng, used), talk.speaker)
    tape.close_turn(talk.speaker, first)


def filler(part: Filler, rng: np.random.Generator) -> np.ndarray:
    if part.kind == "noise":
        return sound.noise(part.seconds, rng)
    return {"music": sound.music, "tones": sound.tones, "silence": sound.silence}[part.kind](part.seconds)


def publish(tape: Tape, media: Path, script: Path, noise: float) -> float:
    """Writes media and script; returns the duration in seconds of what decoding gives back."""
    rng = np.random.default_rng(0)
    original = tape.audio + sound.noise(len(tape.audio) / sound.SAMPLE_RATE, rng, noise)
    sound.encode(original, media)
    decoded = sound.decode(media)
    late = sound.delay(decoded, original)
    duration = len(decoded) / sound.SAMPLE_RATE
    logger.info("%s: %.1f s, %.0f KB, delay %.1f ms", media.name, duration, media.stat().st_size / 1e3, late * 1e3)
    if abs(late) >= LARGEST_DELAY:
        raise RuntimeError(f"{media} is {late * 1000:.0f} ms late: its script would be wrong")
    tape.script.write(script)
    return round(duration, 3)


def make_channel(synthesizer: Synthesizer, data: Path) -> None:
    """The episodes, and `channel.json` that lists them."""
    episodes = []
    for plan in programme.PLANS:
        media = data / "media" / f"{plan.id}{plan.suffix}"
        duration = publish(record(plan, synthesizer), media, data / "scripts" / f"{plan.id}.json", plan.noise)
        listed = {key: asdict(plan)[key] for key in ("id", "title", "description", "published")}
        episodes.append({**listed, "media": media.name, "duration": duration})
    about = {"title": programme.TITLE, "description": programme.DESCRIPTION, "author": programme.AUTHOR}
    _write_json(data / "channel.json", {**about, "episodes": episodes})


def make_held_out(synthesizer: Synthesizer, data: Path) -> None:
    """Files of single sentences, each by another voice, all voices heard."""
    rng, listed = Random("held out"), []
    used: set[str] = set()
    voices = rng.sample(VOICES, len(VOICES)) + rng.sample(VOICES, len(VOICES))
    for number in range(HELD_OUT_FILES):
        tape = Tape(synthesizer)
        tape.add(sound.silence(0.6))
        for _ in range(SENTENCES_A_FILE):
            speaker_voice = voices.pop()
            speaker = Speaker(speaker_voice, speaker_voice, rng.randint(145, 185), rng.randint(35, 65))
            tape.say(draw("", rng, used), speaker)
            tape.close_turn(speaker, len(tape.script.sentences) - 1)
            tape.add(sound.silence(rng.uniform(0.6, 1.0)))
        name = f"held-out-{number + 1}"
        media = data / "held_out" / f"{name}.opus"
        duration = publish(tape, media, data / "held_out" / f"{name}.json", noise=0.0008)
        listed.append({"id": name, "media": media.name, "duration": duration})
    _write_json(data / "held_out" / "index.json", listed)


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main(build: Path = BUILD) -> None:
    """Writes into the package's data; ``build`` is not needed."""
    synthesizer = Synthesizer()
    make_channel(synthesizer, data_dir())
    make_held_out(synthesizer, data_dir())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
