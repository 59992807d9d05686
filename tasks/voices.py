"""Unknown voices for a person to name in the Prefect UI: the form, and what becomes of its answers."""

from __future__ import annotations

import logging
from typing import Any

from prefect import task
from prefect.input import RunInput
from pydantic import Field, create_model

from channelscribe.catalogue import voices
from channelscribe.catalogue.voice_names import suggestions
from channelscribe.errors import ChannelscribeError
from channelscribe.retention.voices import archive_of, clip_of
from tasks.caching import RETRIES
from tasks.maintenance import library

ASKED = "Who is it? Write a name, or the number of another voice that it is one with; what you don't know stays empty."
LISTEN_SECONDS = 7 * 24 * 3600
"""How long an address of the store may be used, as long as a bucket allows."""

_log = logging.getLogger(__name__)


@task(name="find-unknown-voices", persist_result=False, **RETRIES)
def find_unknown(source: str | None, limit: int, least_minutes: float) -> list[dict[str, Any]]:
    """Those who speak most first: {"voice", "seconds", "videos", "first", "last", "listen", "clip", "suggested"}."""
    whole = library()
    with whole.catalogue.session() as session:
        voices.regroup_all(session)
        known = voices.listed(session, source)
        unknown = [each for each in known if not each.name and each.seconds >= 60 * least_minutes][:limit]
        names = suggestions(session, unknown, known)
    found = []
    for each in unknown:
        clip = clip_of(each)
        key = archive_of(whole, clip) if clip else None
        address = whole.store.address(key, LISTEN_SECONDS) if key else None
        found.append(
            {
                "voice": each.number,
                "seconds": each.seconds,
                "videos": each.videos,
                "days": [day.isoformat() for day in dict.fromkeys(each.days) if day],
                "clip": clip.to_dict() if clip else None,
                # A media fragment (W3C) of the archived audio, where the store has an address for it; else the site.
                "listen": f"{address}#t={clip.start},{clip.end}" if address and clip else clip and clip.url,
                "suggested": [one.name for one in names[each.number]],
            }
        )
    return found


def form_of(unknown: list[dict[str, Any]]) -> type[RunInput]:
    """A field for each voice, empty: suggestions are told, never set."""
    fields: dict[str, Any] = {}
    lines = [
        "Who is it? Write a name, or the number of another voice that it is one with; leave empty what you don't know.",
        "",
    ]
    for each in unknown:
        minutes = f"{each['seconds'] / 60:.1f} min in {each['videos']} videos"
        told = f"{minutes}{', ' + ' to '.join(each['days']) if each['days'] else ''}"
        perhaps = f"Perhaps {' or '.join(each['suggested'])}." if each["suggested"] else ""
        fields[f"voice_{each['voice']}"] = (
            str,
            Field("", title=f"Voice {each['voice']}", description=f"{told}. {perhaps}".strip(), max_length=200),
        )
        listen = (
            f"[ten seconds of “{_plain(each['clip']['title'])}”]({each['listen']})" if each["listen"] else "no clip"
        )
        lines.append(f"- **Voice {each['voice']}**: {told}; {listen}. {_plain(perhaps)}".rstrip())
    made = create_model("Names", __base__=RunInput, **fields)
    made._description = "\n".join(lines)
    return made


def _plain(text: str) -> str:
    """Without what Markdown would take for marks, whatever a title holds."""
    return "".join(" " if each in "[]()<>*_`|#\\\n" else each for each in text)


@task(name="name-them", persist_result=False)
def name_them(answers: dict[str, str]) -> dict[str, Any]:
    """What the form says; returns {"named": {number: name}, "merged": {number: into}, "failed": {number: why}}."""
    done: dict[str, Any] = {"named": {}, "merged": {}, "failed": {}}
    for field, answer in answers.items():
        number, said = field.removeprefix("voice_"), answer.strip()
        try:
            if said.isdigit():
                done["merged"][number] = library().catalogue.run(voices.merge, [said, number], WHO)
            elif said:
                library().catalogue.run(voices.name, number, said, WHO)
                done["named"][number] = said
        except ChannelscribeError as error:  # one that has gone meanwhile never stops the others
            _log.warning("Voice %s: %s", number, error)
            done["failed"][number] = str(error)
    return done


WHO = "a person in Prefect's UI"
