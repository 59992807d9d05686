"""Indexes for what is counted and claimed in libraries of a million videos, whose rows are long."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

CHANGES = """
CREATE INDEX ix_video_reason ON video (state, reason) WHERE reason IS NOT NULL;
CREATE INDEX ix_source_video_listed ON source_video (source_pk, video_pk) WHERE gone_at IS NULL;
"""


def upgrade() -> None:
    op.execute(CHANGES)
