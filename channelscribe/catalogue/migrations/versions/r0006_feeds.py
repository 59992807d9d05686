"""An episode is known by its guid within its feed; what is remembered of a feed between two listings.

Episodes that are there keep their names (site `generic`, the guid): files in the store and links of people have them.
What is new is whose they are. Where two shows had the same guid, the words are those of the show that listed it first:
the row stays with it, and the other show's episode is listed anew.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

from channelscribe.sources.identifiers import feed_key, file_of

revision = "0006"
down_revision = "0005"

CHANGES = """
ALTER TABLE source
    ADD COLUMN feed text,
    ADD COLUMN memory jsonb NOT NULL DEFAULT '{}';
ALTER TABLE video
    ADD COLUMN feed text,
    ADD COLUMN guid text,
    ADD COLUMN file text,
    ADD COLUMN announced_bytes bigint,
    ADD COLUMN replaced_at timestamptz,
    ADD COLUMN about jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN chapters jsonb NOT NULL DEFAULT '[]';
CREATE INDEX ix_video_feed ON video (feed, guid);
CREATE INDEX ix_video_guid ON video USING hash (guid);
CREATE INDEX ix_video_file ON video USING hash (file);
"""
EPISODES = """
SELECT DISTINCT ON (video.id) video.id, video.video_id, coalesce(video.private_url, video.url) AS url, source.feed
FROM video JOIN source_video AS link ON link.video_pk = video.id
    JOIN source ON source.id = link.source_pk AND source.kind = 'feed'
WHERE video.site = 'generic' ORDER BY video.id, link.first_listed_at, source.id
"""
OF_OTHERS = """
DELETE FROM source_video USING source, video WHERE source.id = source_pk AND video.id = video_pk
    AND source.kind = 'feed' AND video.feed IS NOT NULL AND source.feed <> video.feed
"""
_MAY_BE_A_HASH = re.compile(r".*-?[0-9a-f]{12}")  # of a guid with other characters: the next listing tells it


def upgrade() -> None:
    op.execute(CHANGES)
    connection = op.get_bind()
    for source in connection.execute(
        sa.text("SELECT id, coalesce(private_url, url) AS url FROM source WHERE kind = 'feed'")
    ).all():
        values = {"feed": feed_key(source.url), "id": source.id}
        connection.execute(sa.text("UPDATE source SET feed = :feed WHERE id = :id"), values)
    episodes = [
        {
            "id": row.id,
            "feed": row.feed,
            "file": file_of(row.url),
            "guid": None if _MAY_BE_A_HASH.fullmatch(row.video_id) else row.video_id,
        }
        for row in connection.execute(sa.text(EPISODES)).all()
    ]
    if episodes:
        connection.execute(
            sa.text("UPDATE video SET feed = :feed, guid = :guid, file = :file WHERE id = :id"), episodes
        )
    connection.execute(sa.text(OF_OTHERS))
    alone = connection.execute(
        sa.text("SELECT id, coalesce(private_url, url) AS url FROM video WHERE site = 'generic' AND feed IS NULL")
    ).all()
    if alone:
        values_of = [{"id": row.id, "file": file_of(row.url)} for row in alone]
        connection.execute(sa.text("UPDATE video SET file = :file WHERE id = :id"), values_of)
