"""The stand-in site does what its docstrings say, with the real yt-dlp."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from typing import Any

import pytest
import yt_dlp  # type: ignore[import-untyped]

from tests.conftest import clean_environment
from tests.standin.site import Generated, StandinSite, Video

Info = dict[str, Any]


def flat(url: str, **options: Any) -> Info:
    """The flat listing of `url`, its tabs opened, as yt-dlp gives it."""
    with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "extract_flat": "in_playlist", **options}) as ydl:
        info: Info = ydl.extract_info(url, download=False)
        return info


def ids(info: Info) -> list[str]:
    return [each["id"] for each in info["entries"]]


def video(site: StandinSite, video_id: str, **options: Any) -> Info:
    return flat(site.video_url(video_id), **options)


def test_a_channel_opens_its_tabs_as_youtubes_does(site: StandinSite) -> None:
    news = site.channel("news", Video("aaa"), Video("bbb", tab="shorts"), Video("ccc", tab="streams"))
    info = flat(news.url)
    assert (info["extractor"], info["id"], info["channel_id"]) == ("standin:channel", "UCnews", "UCnews")
    tabs = info["entries"]
    assert [tab["_type"] for tab in tabs] == ["playlist"] * 3
    assert [tab["webpage_url"] for tab in tabs] == [f"{news.url}/{tab}" for tab in ("videos", "streams", "shorts")]
    assert [ids(tab) for tab in tabs] == [["aaa"], ["ccc"], ["bbb"]]
    assert [each.path for each in site.listing_requests] == [
        "/standin/@news", "/standin/@news/videos", "/standin/@news/streams", "/standin/@news/shorts"
    ]  # fmt: skip


def test_a_channel_with_one_tab_and_one_that_names_its_tabs(site: StandinSite) -> None:
    assert ids(flat(site.channel("one", Video("aaa"), Video("bbb")).url)) == ["aaa", "bbb"]
    named = site.channel("named", Video("aaa"), Video("bbb", tab="shorts"), tabs_as_urls=True)
    entries = flat(named.url)["entries"]
    assert [(each["_type"], each["ie_key"], each["url"]) for each in entries] == [
        ("url", "StandinTab", f"{named.url}/{tab}") for tab in ("videos", "shorts")
    ]


def test_an_entry_says_what_youtubes_flat_listing_says(site: StandinSite) -> None:
    news = site.channel(
        "news",
        Video("soon", title="Soon", live_status="is_upcoming", release_timestamp=1_900_000_000),
        Video("club", title="Club", availability="subscriber_only"),
        Video("brief", tab="shorts", listed={"title": "Other"}),
    )
    soon, club = flat(f"{news.url}/videos")["entries"]
    expected = {"_type": "url", "ie_key": "Standin", "id": "club", "title": "Club", "duration": 20, "timestamp": None}
    expected |= {"live_status": None, "availability": "subscriber_only", "url": site.video_url("club")}
    assert expected.items() <= club.items()
    assert (soon["live_status"], soon["duration"], soon["release_timestamp"]) == ("is_upcoming", None, 1_900_000_000)
    (brief,) = flat(f"{news.url}/shorts")["entries"]
    assert (brief["title"], brief["duration"], brief["url"]) == ("Other", None, f"{site.url}/shorts/brief")
    dated = flat(f"{news.url}/videos", extractor_args={"youtubetab": {"approximate_date": [""]}})["entries"]
    assert dated[1]["timestamp"] == 1_700_000_000


def test_a_tab_is_read_lazily_page_by_page(site: StandinSite) -> None:
    site.page_size = 2
    news = site.channel("news", *(Video(f"v{number}") for number in range(5)))
    with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
        entries = ydl.extract_info(f"{news.url}/videos", download=False, process=False)["entries"]
        assert len(site.listing_requests) == 1
        assert [each["id"] for each in islice(entries, 3)] == ["v0", "v1", "v2"]
        assert len(site.listing_requests) == 2
        assert [each["id"] for each in entries] == ["v3", "v4"]
    assert len(site.listing_requests) == 3


def test_what_changes_while_it_runs_and_duplicates(site: StandinSite) -> None:
    shared = Video("both", tab="streams")
    news = site.channel("news", Video("aaa"), Video("bbb"), shared)
    news.tabs["videos"] = [*news.tabs["videos"], shared, Video("aaa")]
    assert [ids(tab) for tab in flat(news.url)["entries"]] == [["aaa", "bbb", "both", "aaa"], ["both"]]
    news.publish(Video("new"))
    site.vanish("aaa")
    assert [ids(tab) for tab in flat(news.url)["entries"]] == [["new", "bbb", "both"], ["both"]]
    with pytest.raises(yt_dlp.DownloadError, match="404"):
        video(site, "aaa")
    assert ids(flat(site.playlist("PL1", shared, shared).url)) == ["both", "both"]


def test_a_hundred_thousand_videos_are_made_when_asked_for(site: StandinSite) -> None:
    made: list[int] = []

    def make(number: int) -> Video:
        made.append(number)
        return Video(f"v{number:06}")

    site.channel("big").tabs["videos"] = Generated(100_000, make)
    with yt_dlp.YoutubeDL({"quiet": True}) as ydl:
        entries = ydl.extract_info(f"{site.url}/@big/videos", download=False, process=False)["entries"]
        assert [each["id"] for each in islice(entries, 31)][-1] == "v000030"
    assert made == list(range(60))


def test_a_channel_without_such_a_tab_and_no_such_channel(site: StandinSite) -> None:
    site.channel("news", Video("aaa"))
    with pytest.raises(yt_dlp.DownloadError, match="does not have a shorts tab"):
        flat(f"{site.url}/@news/shorts")
    with pytest.raises(yt_dlp.DownloadError, match="404"):
        flat(f"{site.url}/@nobody")


def test_the_page_of_a_video(site: StandinSite) -> None:
    chapters = [{"start_time": 0, "end_time": 20, "title": "All"}]
    site.alone = [Video("aaa", title="</script> Ä", chapters=chapters, uploader="U", live_status="was_live")]
    info = video(site, "aaa")
    assert (info["extractor"], info["title"], info["uploader"]) == ("standin", "</script> Ä", "U")
    assert (info["duration"], info["live_status"], info["timestamp"]) == (20, "was_live", 1_700_000_000)
    assert info["chapters"] == chapters and info["webpage_url"] == site.video_url("aaa")
    formats = {each["format_id"]: each for each in info["formats"]}
    assert set(formats) == {"140", "140-dubbed", "18"}
    original, dubbed = formats["140"], formats["140-dubbed"]
    assert original["language_preference"] > dubbed["language_preference"] and original["abr"] < dubbed["abr"]
    assert (original["filesize"], original["protocol"]) == (len(site.sound), "http") and "sig=" in original["url"]


@pytest.mark.parametrize(
    ("says_as", "kind"),
    [
        ("error", "ExtractorError"), ("unexpected", "ExtractorError"), ("login", "ExtractorError"),
        ("geo", "GeoRestrictedError"), ("not_live", "UserNotLive"),
    ],
)  # fmt: skip
def test_a_video_that_is_refused(site: StandinSite, says_as: Any, kind: str) -> None:
    site.alone = [Video("aaa", says="Not for you", says_as=says_as)]
    with pytest.raises(yt_dlp.DownloadError) as caught:
        video(site, "aaa")
    cause = caught.value.exc_info[1]
    assert type(cause).__name__ == kind and cause.expected is (says_as != "unexpected")
    assert says_as == "not_live" or "Not for you" in str(cause)


def test_an_upcoming_video_is_refused_and_a_live_one_is_not(site: StandinSite) -> None:
    site.alone = [Video("soon", live_status="is_upcoming"), Video("now", live_status="is_live")]
    with pytest.raises(yt_dlp.DownloadError, match="will begin in 2 hours"):
        video(site, "soon")
    assert video(site, "soon", ignore_no_formats_error=True)["live_status"] == "is_upcoming"
    assert (video(site, "now")["live_status"], video(site, "now").get("duration")) == ("is_live", None)


LIST = "import sys, yt_dlp; yt_dlp.YoutubeDL({'quiet': True, 'extract_flat': True}).extract_info(sys.argv[1])"


def test_commands_that_tests_start_know_the_plugin(site: StandinSite, tmp_path: Any) -> None:
    news = site.channel("news", Video("aaa"))
    environment = {**clean_environment(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", LIST, news.url], env=environment, check=True, cwd=tmp_path)
    assert len(site.listing_requests) == 2 and os.environ["PYTHONPATH"] in environment["PYTHONPATH"]
