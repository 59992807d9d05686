"""How far a sync is: of what was due at the first look, what is done, and what is in work by its stage."""

from __future__ import annotations

import pytest

from channelscribe.catalogue import leases, listings
from channelscribe.catalogue import videos as video_rows
from channelscribe.catalogue.connection import Database
from channelscribe.errors import NoMedia
from channelscribe.settings import Settings
from channelscribe.settings.travel import to_travel
from tasks import listing, sync_queue
from tasks.sync_queue import DueVideos
from tests.catalogue.records import OWNER, Listed, Video


def test_the_share_of_a_sync(catalogue: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_queue, "catalogue", lambda: catalogue)
    monkeypatch.setattr(listing, "catalogue", lambda: catalogue)
    monkeypatch.setattr(sync_queue, "claim_due", listing.claim_due.fn)
    report = catalogue.run(listings.record_listing, Listed([Video(f"v{n}", position=n) for n in range(6)]))
    listed = {"source_pk": report.source_pk, "title": "One", "blocked": False}
    videos = DueVideos(listed, OWNER, to_travel(Settings()), 4)

    assert videos.share() == 0  # of four: there is a limit
    first, second = videos(2)
    assert videos.share() == 0
    catalogue.run(video_rows.record_failure, first.pk, OWNER, NoMedia("nothing"))
    assert videos.share() == pytest.approx(1 / 4)
    catalogue.run(leases.renew, second.pk, OWNER, 60, "recognize", 0.5)
    assert videos.share() == pytest.approx((1 + 2.5 / 7) / 4)
    videos.stop()
    assert videos.share() == pytest.approx((1 + 2.5 / 7) / 2)
    catalogue.run(leases.release_all, OWNER)
    assert videos.share() == 1
