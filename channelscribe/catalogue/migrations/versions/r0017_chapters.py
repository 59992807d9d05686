"""Chapters of transcripts: their topics by title, for videos whose site gives none."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"

CHANGES = """
CREATE TABLE chapter (
    transcript_pk bigint NOT NULL REFERENCES transcript ON DELETE CASCADE,
    index integer NOT NULL,
    start double precision NOT NULL,
    title text NOT NULL,
    PRIMARY KEY (transcript_pk, index)
);
"""


def upgrade() -> None:
    op.execute(CHANGES)
