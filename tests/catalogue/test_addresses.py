"""A source's and a video's address: what is secret in it is kept apart from what is shown."""

from __future__ import annotations

import psycopg

from channelscribe.catalogue import listings, schema, videos
from channelscribe.catalogue.connection import Database
from tests.catalogue.records import Listed, Video
from tests.databases import NewDatabase

WHOLE = "http://me:s3cret@example.org/feed.xml?auth=t0ken"
PUBLIC = listings.public_url(WHOLE, distinct=True)
AUDIO = "https://me:s3cret@media.example.org/e1.mp3?Policy=t0ken&n=1"


def feed(**more: str) -> Listed:
    return Listed([Video("e1", site="generic", url=AUDIO, **more)], site="generic", url=WHOLE, kind="feed")


def test_what_is_shown_holds_no_secret(catalogue: Database) -> None:
    report = catalogue.run(listings.record_listing, feed())
    (source,) = catalogue.run(videos.sources)
    (row,) = catalogue.run(videos.find_videos, "e1")
    assert (source.url, source.private_url) == (PUBLIC, WHOLE)
    assert (row.url, row.private_url) == ("https://media.example.org/e1.mp3?Policy=~&n=1", AUDIO)
    assert "s3cret" not in PUBLIC + row.url and "t0ken" not in PUBLIC + row.url
    assert catalogue.run(listings.whole_address, PUBLIC) == WHOLE
    assert [each.id for each in catalogue.run(videos.find_videos, AUDIO)] == [row.id]
    assert catalogue.run(listings.full_listing_due, PUBLIC, 24) is False
    assert catalogue.run(listings.full_listing_due, WHOLE, 24) is False
    again = catalogue.run(listings.record_listing, feed())
    assert (again.source_pk, again.new, again.changed) == (report.source_pk, 0, 0)


def test_a_token_that_is_made_anew_each_time_is_no_change(catalogue: Database) -> None:
    catalogue.run(listings.record_listing, feed())
    listing, fresh = feed(), AUDIO.replace("t0ken", "another")
    listing.videos = [Video("e1", site="generic", url=fresh)]
    assert catalogue.run(listings.record_listing, listing).changed == 0
    assert catalogue.run(videos.find_videos, "e1")[0].private_url == fresh
    listing.videos = [Video("e1", site="generic", url="https://media.example.org/e1.mp3?n=1")]
    catalogue.run(listings.record_listing, listing)
    row = catalogue.run(videos.find_videos, "e1")[0]
    assert (row.url, row.private_url) == ("https://media.example.org/e1.mp3?n=1", None)


def test_media_are_asked_for_at_the_whole_address(catalogue: Database) -> None:
    listing = feed()
    listing.videos.append(Video("open", site="generic", url="http://cdn.example.org/e.mp3"))
    catalogue.run(listings.record_listing, listing)
    for name, asked in (("e1", AUDIO), ("open", "http://cdn.example.org/e.mp3")):
        assert catalogue.run(videos.whole_address, catalogue.run(videos.find_videos, name)[0].id) == asked


def test_an_address_is_kept_before_it_is_listed(catalogue: Database) -> None:
    assert catalogue.run(listings.keep_address, "https://example.org/open.xml") == "https://example.org/open.xml"
    assert catalogue.run(videos.sources) == []
    assert catalogue.run(listings.keep_address, WHOLE) == PUBLIC
    assert catalogue.run(listings.whole_address, PUBLIC) == WHOLE
    newer = WHOLE.replace("s3cret", "n3wer")
    assert catalogue.run(listings.keep_address, newer) == PUBLIC
    assert catalogue.run(listings.keep_address, PUBLIC) == PUBLIC
    assert catalogue.run(listings.whole_address, PUBLIC) == newer
    assert catalogue.run(listings.whole_address, WHOLE) == WHOLE  # who gives it whole means it so
    listing = feed()
    listing.url = PUBLIC
    catalogue.run(listings.record_listing, listing)
    (source,) = catalogue.run(videos.sources)
    assert (source.private_url, source.title) == (newer, "Channel One")


def test_existing_libraries_are_brought_over(empty_database: NewDatabase) -> None:
    url = empty_database()
    schema.migrate(Database(url), "0004")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO source (site, source_id, url) VALUES ('generic', 'f', %s), ('generic', 'g', %s), "
            "('youtube', 'UC1', 'https://www.youtube.com/playlist?list=PL1')",
            (WHOLE, WHOLE.replace("s3cret", "older")),
        )
        connection.execute("INSERT INTO video (site, video_id, url) VALUES ('generic', 'e1', %s)", (AUDIO,))
    catalogue = Database(url)
    schema.migrate(catalogue)
    kept = catalogue.run(videos.sources)
    assert [(row.url, row.private_url) for row in kept[::2]] == [
        (PUBLIC, WHOLE),
        ("https://www.youtube.com/playlist?list=PL1", None),
    ]
    assert kept[1].private_url == WHOLE.replace("s3cret", "older")  # the same feed by another password
    assert "older" not in kept[1].url
    assert catalogue.run(videos.find_videos, "e1")[0].private_url == AUDIO
    assert catalogue.run(listings.full_listing_due, WHOLE, 24) is True
    catalogue.close()
