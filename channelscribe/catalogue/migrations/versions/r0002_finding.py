"""What listings say of availability, full listings, blocks by sites; what the quality gate says; which reading."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

CHANGES = """
ALTER TABLE source ADD COLUMN last_full_listing_at timestamptz;
ALTER TABLE source_video ADD COLUMN tab text;
ALTER TABLE video
    ADD COLUMN availability text,
    ADD COLUMN release_at timestamptz,
    ADD COLUMN post_live_since timestamptz,
    ADD COLUMN rejected integer NOT NULL DEFAULT 0;
ALTER TABLE transcript
    ADD COLUMN quality jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN reading_id text;
ALTER TABLE segment ADD COLUMN flags text[] NOT NULL DEFAULT '{}';
CREATE TABLE breaker (
    scope text NOT NULL,
    egress text NOT NULL,
    strikes integer NOT NULL DEFAULT 0,
    suspicions integer NOT NULL DEFAULT 0,
    open_until timestamptz,
    probe_until timestamptz,
    reason text,
    message text,
    remedy text,
    PRIMARY KEY (scope, egress)
);
"""


def upgrade() -> None:
    op.execute(CHANGES)
