"""Segments have a language of their own, and the library knows which languages its segments have."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("CREATE INDEX ix_segment_language ON segment (language)")


def downgrade() -> None:
    op.execute("DROP INDEX ix_segment_language")
