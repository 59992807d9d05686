"""What the sample channel broadcasts: its episodes as data, the words still to be drawn from the templates.

A line is a kind of sentence from `LINES`, in the order in which it is said; `episodes` draws a held-out
sentence that matches it.
"""

from __future__ import annotations

from dataclasses import dataclass

TITLE = "Rails, Rain and Rockets"
DESCRIPTION = "Synthetic voices about trains, the weather, the kitchen and the sky."
AUTHOR = "espeak-ng"

# Kinds of sentences, as patterns over their text. {name} is the speaker, {other} the first name of the other.
LINES = {
    "hello": r"Good morning, this is {name} from the {place}\.",
    "back": r"Welcome back, my name is {name} and I live in ",
    "train": r"The \w+ train to .* (leaves|departs|arrives) at ",
    "lisbon": r"The \w+ train to Lisbon ",
    "stopped": r"The \w+ \w+ from \w+ (stopped|waited|departed|arrived)",
    "errand": r".* (bought a ticket|lost a suitcase|took a photograph|found a seat) at",
    "passed": r"We \w+ the \w+ between ",
    "opened": r".* opened a ",
    "years": r"Did you know ",
    "walk": r"Later, ",
    "met": r"I met ",
    "expect": r"On \w+day we expect ",
    "was": r"The \w+ in \w+ was very ",
    "reach": r".* will reach ",
    "degrees": r"Temperatures ",
    "there": r"There is ",
    "bring": r"Please bring ",
    "found": r"\w+ \w+ \w+ an? .* near the \w+\.",
    "away": r".* million kilometers away ",
    "month": r"In \w+, the ",
    "science": r"Scientists in ",
    "see": r"We can see ",
    "first": r"First, ",
    "then": r"Then ",
    "likes": r".* likes ",
    "grandmother": r"My grandmother ",
    "need": r"You need ",
    "never": r"Never ",
    "think": r"What do you think about the .*, {other}\?",
    "yes": r"Yes, I think ",
    "thanks": r"Thank you, {other}, that was ",
    "question": r"That is a good question, {other}\.",
    "why": r"Why is ",
    "bye": r"See you on ",
}


@dataclass(frozen=True)
class Speaker:
    """A person of the channel, and the voice: ``rate`` in words a minute, ``pitch`` 0 to 100."""

    name: str
    voice: str
    rate: int
    pitch: int
    place: str = ""


@dataclass(frozen=True)
class Talk:
    """One turn: who speaks, and the kinds of sentences said."""

    speaker: Speaker
    lines: str


@dataclass(frozen=True)
class Filler:
    """``seconds`` of something that nobody says: silence, music, noise or tones."""

    kind: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """One episode. ``suffix`` is the container of its media, ``noise`` the level under all of it, of 1."""

    id: str
    title: str
    description: str
    published: str
    suffix: str
    parts: tuple[Talk | Filler, ...]
    noise: float = 0.0008


VICTOR = Speaker("Victor Rossi", "en-us+m3", 160, 42, "Northern Railway")
JULIA = Speaker("Julia Brooks", "en+f2", 155, 55, "Golden Spoon")
SOFIA = Speaker("Sofia Hansen", "en-us+f4", 165, 52, "Coastal Weather Service")
SAMUEL = Speaker("Samuel Parker", "en-gb-x-rp+m1", 150, 45, "Polar Observatory")
HELENA = Speaker("Helena Brooks", "en-us+f2", 160, 58, "Polar Observatory")
MARCO = Speaker("Marco Fischer", "en-us+m3", 165, 40)
ROBERT = Speaker("Robert Tanaka", "en+m7", 160, 40, "Northern Railway")
EMMA = Speaker("Emma Keller", "en-us+f3", 170, 60)
NINA = Speaker("Nina Fischer", "en-gb-x-rp+f1", 160, 60, "Golden Spoon")
DANIEL = Speaker("Daniel Brooks", "en-us+m2", 165, 38)

PLANS = [
    Plan(
        "night-train",
        "Night train to Lisbon",
        "Victor Rossi on sleepers, suitcases and a locomotive that would not leave.",
        "2026-01-05T06:00:00+00:00",
        ".mp3",
        (
            Talk(VICTOR, "hello lisbon errand passed years met stopped opened"),
            Talk(VICTOR, "train errand walk passed stopped years errand bye"),
        ),
    ),
    Plan(
        "cold-evening-soup",
        "Soup for a cold evening",
        "Onions first, then patience. Julia Brooks cooks the way her grandmother did.",
        "2026-01-12T06:00:00+00:00",
        ".mp3",
        (
            Talk(
                JULIA,
                "hello first then need likes never grandmother first then likes need never then met bye",
            ),
        ),
    ),
    Plan(
        "two-views-of-a-comet",
        "Two views of a comet",
        "Helena Brooks has the telescope, Marco Fischer has the questions.",
        "2026-01-19T06:00:00+00:00",
        ".mp3",
        (
            Talk(HELENA, "hello see"),
            Talk(MARCO, "back away"),
            Talk(HELENA, "found think"),
            Talk(MARCO, "yes month"),
            Talk(HELENA, "science question"),
            Talk(MARCO, "why see"),
            Talk(HELENA, "month away"),
            Talk(MARCO, "thanks found"),
            Talk(HELENA, "science bye"),
        ),
    ),
    Plan(
        "weather-on-the-coast",
        "Weather on the coast, week three",
        "Fog in the valley, frost on the hills, and what to pack.",
        "2026-01-26T06:00:00+00:00",
        ".m4a",
        (Talk(SOFIA, "hello expect was reach degrees there bring was expect degrees reach there bring bye"),),
    ),
    Plan(
        "station-cafe",
        "At the station café",
        "Robert Tanaka and Emma Keller wait for a delayed train and talk about the ones that came.",
        "2026-02-02T06:00:00+00:00",
        ".mp3",
        (
            Talk(ROBERT, "hello train"),
            Talk(EMMA, "back errand"),
            Talk(ROBERT, "think"),
            Talk(EMMA, "yes passed question"),
            Talk(ROBERT, "stopped years"),
            Talk(EMMA, "walk met"),
            Talk(ROBERT, "opened thanks"),
            Talk(EMMA, "why stopped"),
            Talk(ROBERT, "train bye"),
        ),
    ),
    Plan(
        "music-between-the-stars",
        "Music between the stars",
        "Samuel Parker plays a little, says a little, and leaves room for silence.",
        "2026-02-09T06:00:00+00:00",
        ".mp3",
        (
            Filler("music", 9.0),
            Talk(SAMUEL, "hello see away month"),
            Filler("silence", 12.0),
            Talk(SAMUEL, "science found away"),
            Filler("music", 14.0),
            Talk(SAMUEL, "see month science"),
            Filler("silence", 11.0),
            Talk(SAMUEL, "found bye"),
            Filler("music", 5.0),
        ),
        noise=0.003,
    ),
    Plan(
        "interlude",
        "Interlude (no words)",
        "Nobody speaks. Chords, the hiss of an empty platform, and the station's three tones.",
        "2026-02-16T06:00:00+00:00",
        ".mp3",
        (
            Filler("music", 14.0),
            Filler("noise", 8.0),
            Filler("tones", 6.0),
            Filler("silence", 4.0),
            Filler("music", 8.0),
        ),
        noise=0.002,
    ),
    Plan(
        "letters-from-listeners",
        # Titles never become paths, commands or SQL; this one would show it.
        'Letters & "answers" 🍲 50% more <soup> / ../../etc/passwd\'; DROP TABLE videos; -- $(reboot) `id`',
        "Nina Fischer & Daniel Brooks read your letters.\n\nWrite to them: <letters@example.org>.",
        "2026-02-23T06:00:00+00:00",
        ".opus",
        (
            Talk(NINA, "hello likes"),
            Talk(DANIEL, "back need"),
            Talk(NINA, "think"),
            Talk(DANIEL, "yes question"),
            Talk(NINA, "first then"),
            Talk(DANIEL, "thanks never"),
            Talk(NINA, "grandmother bye"),
        ),
    ),
]
