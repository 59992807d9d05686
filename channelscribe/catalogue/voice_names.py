"""Who a voice may be: names from what a feed says of its people, from titles, and from "I'm Ada" said by the voice.

Only ever suggestions, for a person to take or to leave. Needs nothing but the catalogue.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from channelscribe.catalogue.connection import execute

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction
    from channelscribe.catalogue.voices import Member, Voice

__all__ = ["Suggestion", "introduced", "names_in_title", "suggestions"]

MOST = 3
_NAME = r"[A-Z][\w’'.-]*(?:\s+(?:(?:van|von|de|der|den|da|di|la|le|bin|al)\s+)*[A-Z][\w’'-]+){%d,2}"
# As people say it of themselves, in the languages that are heard most; a name begins with a capital letter.
_SAID = re.compile(
    r"\b(?:[Ii](?:[’']m|\s+am)|[Mm]y name is|[Mm]y name[’']s|[Tt]his is|[Ii]ch bin|[Mm]ein Name ist|[Jj]e suis|"
    rf"[Jj]e m[’']appelle|[Mm]e llamo|[Ss]oy|[Mm]i chiamo|[Ii]k ben)\s+({_NAME % 0})"
)
# In titles two words at least, behind what introduces a guest, or before or after a mark.
_WITH = re.compile(rf"\b(?:[Ww]ith|[Ff]eat\.|[Ff]t\.|[Ff]eaturing|[Mm]it|[Aa]vec|[Cc]on|[Gg]uest:?)\s+({_NAME % 1})")
_MARKED = re.compile(rf"(?:^|[|:–—-]\s+)({_NAME % 1})(?=\s*(?:$|[|:–—,]|-\s))")
_ENDS = " .,;:!?…’'-"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name that a voice may have; `why` is "said", "person" or "title", `times` how often."""

    name: str
    why: str
    times: int


def introduced(text: str) -> str | None:
    """The name by which somebody introduces themselves in what they say, if they do."""
    found = _SAID.search(text)
    return found[1].strip(_ENDS) if found else None


def names_in_title(title: str) -> list[str]:
    """What may be people's names in a title."""
    found = [match[1].strip(_ENDS) for pattern in (_WITH, _MARKED) for match in pattern.finditer(title)]
    return list(dict.fromkeys(found))


SAID = """
SELECT transcript_pk, speaker, text FROM segment JOIN unnest(CAST(:transcripts AS bigint[]), CAST(:labels AS text[]))
    AS speakers (transcript_pk, speaker) USING (transcript_pk, speaker)
WHERE text ~* '\\m(i.?.?m|name|this is|ich bin|je suis|je m.appelle|me llamo|soy|mi chiamo|ik ben)\\M'
ORDER BY transcript_pk, index
"""
_WEIGHT = {"said": 100, "person": 10, "title": 1}


def suggestions(session: Transaction, wanted: Sequence[Voice], known: Sequence[Voice]) -> dict[int, list[Suggestion]]:
    """By the number of each wanted voice the likeliest names first, MOST of them; none that another of the `known`
    voices has. People of a feed and names in titles say who is in a video and not who it is: they count for a voice
    that is heard whenever they are named.
    """
    heard = {voice.number: {member.video_pk: member for member in voice.members} for voice in wanted}
    everywhere = {member.video_pk: member for voice in (*known, *wanted) for member in voice.members}
    named: dict[str, set[int]] = {}
    for video, member in everywhere.items():
        for name, _ in _named(member):
            named.setdefault(name.casefold(), set()).add(video)
    counted: dict[int, Counter[tuple[str, str]]] = {voice.number: Counter() for voice in wanted}
    for number, members in heard.items():
        for member in members.values():
            for name, why in _named(member):
                if named[name.casefold()] <= members.keys():
                    counted[number][name, why] += 1
    whose = {(member.transcript_pk, member.label): voice.number for voice in wanted for member in voice.members}
    asked = {"transcripts": [pk for pk, _ in whose], "labels": [label for _, label in whose]}
    for row in execute(session, SAID, **asked) if whose else ():
        if (said := introduced(row.text)) is not None:
            counted[whose[row.transcript_pk, row.speaker]][said, "said"] += 1
    called = {voice.name.casefold(): voice.number for voice in known if voice.name}
    return {number: _likeliest(number, counts, called) for number, counts in counted.items()}


def _likeliest(number: int, counts: Counter[tuple[str, str]], called: dict[str, int]) -> list[Suggestion]:
    found: dict[str, Suggestion] = {}
    for (name, why), times in sorted(counts.items(), key=lambda each: (-_WEIGHT[each[0][1]] * each[1], each[0])):
        if called.get(name.casefold(), number) == number:
            found.setdefault(name.casefold(), Suggestion(name, why, times))
    return list(found.values())[:MOST]


def _named(member: Member) -> Iterator[tuple[str, str]]:
    """Who is named beside a video; of a feed's people a role may stand behind the name."""
    for each in member.about.get("people") or ():
        if name := " ".join(str(each).partition("(")[0].split()):
            yield name, "person"
    yield from ((name, "title") for name in names_in_title(member.title))
