"""New versions beside old ones: the estimate, the work, the difference, and back."""

from __future__ import annotations

import pytest

from channelscribe.catalogue import transcripts
from channelscribe.catalogue import videos as video_rows
from channelscribe.catalogue.connection import Database
from tests.conftest import Cli

pytestmark = [pytest.mark.stack, pytest.mark.speech]

# Two words a chunk's beam never makes: another checkpoint, the same text or nearly so.
WITH_ONE_BEAM = ["--model", "sample", "--set", "text.models={en: sample}", "--set", "speech.beam_size=1"]


@pytest.mark.long
def test_a_new_version_and_back(cli: Cli, library: Database) -> None:
    estimate = cli("retranscribe", "--dry-run", "--json", "--where", "model=sample", *WITH_ONE_BEAM)
    assert estimate.code == 0, str(estimate)
    chosen = estimate.json["chosen"]
    assert chosen >= 7
    assert estimate.json["hours_of_audio"] > 0
    assert estimate.json["hours_of_work"] > 0
    assert estimate.json["published"] == 0

    done = cli("retranscribe", "--limit", "1", "--json", "--where", "model=sample", *WITH_ONE_BEAM)
    assert done.code == 0, str(done)
    assert (done.json["chosen"], done.json["published"], done.json["failures"]) == (1, 1, [])
    # What is done is not chosen again.
    left = cli("retranscribe", "--dry-run", "--json", "--where", "model=sample", *WITH_ONE_BEAM)
    assert left.json["chosen"] == chosen - 1

    videos = [
        row for source in library.run(video_rows.sources) for row in library.run(video_rows.list_videos, source.id)
    ]
    (video,) = {row.video_id for row in videos if len(library.run(transcripts.versions, row.id)) > 1}
    versions = cli("versions", video, "--json").json["versions"]
    assert [(each["version"], each["current"]) for each in versions] == [(1, False), (2, True)]
    difference = cli("diff", video, "--json")
    assert difference.code == 0, str(difference)
    assert (difference.json["old"], difference.json["new"]) == (1, 2)
    assert difference.json["alike"] > 0.9
    back = cli("rollback", video, "1", "--json")
    assert back.json["moved"] is True
    assert cli("versions", video, "--json").json["versions"][0]["current"] is True
    assert library.run(transcripts.transcript_of, video)[1].version == 1


def test_conditions_that_are_none(cli: Cli, library: Database) -> None:
    wrong = cli("retranscribe", "--where", "colour=red", "--dry-run")
    assert wrong.code == 2
    assert "older_than=…" in wrong.err
    assert cli("rollback", "night-train", "99").code == 1
    assert cli("diff", "interlude").code == 2
