"""What lies beside a recording: the publisher's transcripts. What a tombstone still told is forgotten.

`source_video.filtered`: the verdict of a filter is of the source in which a video is listed, not the video's.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

CHANGES = """
ALTER TABLE video ADD COLUMN publisher_transcripts jsonb NOT NULL DEFAULT '[]';
ALTER TABLE source_video ADD COLUMN filtered text;
UPDATE source_video SET filtered = video.reason FROM video
    WHERE video.id = video_pk AND video.state = 'excluded' AND video.reason LIKE 'filter%';
UPDATE video SET about = '{}', chapters = '[]', announced_bytes = NULL, replaced_at = NULL
    WHERE taken_down_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(CHANGES)
