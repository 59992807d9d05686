"""Verdicts that need the same answer on two days, what the machine failed at, and addresses without their secrets."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, text

from channelscribe.sources.addresses import public_url

revision = "0005"
down_revision = "0004"

CHANGES = """
ALTER TABLE source ADD COLUMN private_url text;
ALTER TABLE video
    ADD COLUMN private_url text,
    ADD COLUMN verdict text,
    ADD COLUMN verdict_at timestamptz,
    ADD COLUMN setbacks integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT video_verdict_check CHECK ((verdict IS NULL) = (verdict_at IS NULL)),
    ADD CONSTRAINT video_setbacks_check CHECK (setbacks >= 0);
"""
SUSPECT = "url ~ '[@?]'"


def upgrade() -> None:
    op.execute(CHANGES)
    for table in ("source", "video"):
        hide_secrets(op.get_bind(), table)


def hide_secrets(connection: Connection, table: str) -> None:
    """Of a source that is there twice, with two passwords, the second one gets a mark: a URL is one source's."""
    rows = connection.execute(text(f"SELECT id, url FROM {table} WHERE {SUSPECT} ORDER BY id")).all()  # noqa: S608
    unique = table == "source"
    for row in rows:
        public = public_url(row.url, distinct=unique)
        if public == row.url:
            continue
        query = text(f"SELECT EXISTS (SELECT FROM {table} WHERE url = :public)")  # noqa: S608
        if unique and connection.execute(query, {"public": public}).scalar_one():
            public = f"{public}#{row.id}"
        connection.execute(
            text(f"UPDATE {table} SET url = :public, private_url = :url WHERE id = :id"),  # noqa: S608
            {"id": row.id, "url": row.url, "public": public},
        )
