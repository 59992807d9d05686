"""The index of names: who and what is mentioned in current transcripts, and how often.

Names are counted by what `channelscribe.text.names` takes for one name: that needs the counts of a channel, so it is
done here and not where names are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.listings import IN_CHANNEL
from channelscribe.text.names import Name, entity_key, variants

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

__all__ = ["EntityCount", "entity_counts", "spellings"]


@dataclass(frozen=True, slots=True)
class EntityCount:
    """How often a name is mentioned, and in how many videos. `text` is its most frequent spelling."""

    text: str
    key: str
    label: str
    mentions: int
    videos: int

    def to_dict(self) -> dict[str, Any]:
        """As `--json` and the read API tell of it."""
        return {"name": self.text, "label": self.label, "count": self.mentions, "videos": self.videos}


# Each mention with its channel: the one asked for (0), else the first one that its video was listed in.
MENTIONS = """
FROM entity JOIN video ON video.current_transcript_pk = entity.transcript_pk
LEFT JOIN (SELECT video_pk, CASE WHEN :one THEN 0 ELSE min(source_pk) END AS channel
    FROM source_video GROUP BY video_pk) AS home ON home.video_pk = video.id
"""
NAMES = f"""SELECT coalesce(channel, 0) AS channel, entity.key, entity.label, count(*) AS mentions {MENTIONS}
WHERE {{conditions}} GROUP BY 1, 2, 3"""
# What is at most two letters longer or shorter and begins alike: spellings of the name, and other spellings of those.
NEAR = "left(entity.key, 1) = left(:key, 1) AND length(entity.key) BETWEEN length(:key) - 2 AND length(:key) + 2"
ENTITIES = f"""
WITH same AS (SELECT * FROM unnest(CAST(:channels AS bigint[]), CAST(:keys AS text[]), CAST(:labels AS text[]),
    CAST(:names AS text[])) AS same (channel, key, label, name)),
mention AS (SELECT entity.text, coalesce(same.name, entity.key) AS key, entity.label, video.id AS video {MENTIONS}
    LEFT JOIN same ON same.channel = coalesce(home.channel, 0) AND same.key = entity.key AND same.label = entity.label
    WHERE {{conditions}})
SELECT mode() WITHIN GROUP (ORDER BY text) AS text, key, label, count(*) AS mentions, count(DISTINCT video) AS videos
FROM mention GROUP BY key, label ORDER BY mentions DESC, key, label LIMIT :limit
"""  # noqa: S608 - constants of this file


def entity_counts(
    session: Transaction, channel: str | None = None, label: str | None = None, limit: int = 1000
) -> list[EntityCount]:
    """Names in current transcripts, the most mentioned first; spellings that are rare in a channel count as the
    frequent one (`channelscribe.text.names`).
    """
    conditions = {IN_CHANNEL: channel, "entity.label = :label": label}
    wanted = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    cleaned = {"channel": channel, "label": label}
    given: dict[str, Any] = {name: clean_text(value) for name, value in cleaned.items() if value is not None}
    given["one"] = channel is not None
    same = _same_names(session, wanted, **given)
    columns = {
        "channels": [at for at, _, _ in same],
        "keys": [key for _, (key, _), _ in same],
        "labels": [label for _, (_, label), _ in same],
        "names": [key for _, _, (key, _) in same],
    }
    rows = execute(session, ENTITIES.format(conditions=wanted), limit=limit, **columns, **given).mappings()
    return [EntityCount(**row) for row in rows]


def _same_names(session: Transaction, wanted: str, **given: Any) -> list[tuple[int, Name, Name]]:
    """(channel, spelling, the name that it is of) among the mentions that meet a condition."""
    counts: dict[int, dict[Name, int]] = {}
    for row in execute(session, NAMES.format(conditions=wanted), **given):
        counts.setdefault(row.channel, {})[row.key, row.label] = row.mentions
    return [(at, name, other) for at, of in counts.items() for name, other in variants(of).items()]


def spellings(session: Transaction, name: str) -> list[str]:
    """Keys of a name and of its spellings in any channel."""
    key = entity_key(clean_text(name))
    same = _same_names(session, NEAR, one=False, key=key)
    names = {other for _, spelling, other in same if key in (spelling[0], other[0])}
    return sorted({key} | {each[0] for _, *pair in same if pair[1] in names for each in pair})
