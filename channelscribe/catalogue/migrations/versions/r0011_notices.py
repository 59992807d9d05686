"""Whoever listens on `channelscribe_video` hears the number of a video whose state or step changed.

A trigger and not the writers: there are dozens of them. Its condition is looked at before the function is called, and
one transaction tells each video once.
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0009"

CHANGES = """
CREATE FUNCTION channelscribe_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('channelscribe_video', CAST(new.id AS text));
    RETURN NULL;
END $$;
CREATE TRIGGER channelscribe_changed AFTER UPDATE ON video FOR EACH ROW
WHEN ((old.state, old.step, old.step_fraction, old.lease_owner, old.current_transcript_pk)
    IS DISTINCT FROM (new.state, new.step, new.step_fraction, new.lease_owner, new.current_transcript_pk))
EXECUTE FUNCTION channelscribe_tell();
"""


def upgrade() -> None:
    op.execute(CHANGES)
