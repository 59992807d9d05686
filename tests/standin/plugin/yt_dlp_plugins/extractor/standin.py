"""yt-dlp's side of the stand-in site: extractors that ask it over HTTP, with results shaped as YouTube's are.

A package of yt-dlp plugins; it is found because `tests/conftest.py` puts the folder `plugin` on the path. What the
site says is in `tests/standin/site.py`. The shapes, and the retries: yt_dlp/extractor/youtube/{_tab,_video,_base}.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from yt_dlp.extractor.common import InfoExtractor  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import HTTPError, network_exceptions  # type: ignore[import-untyped]
from yt_dlp.utils import ExtractorError, UserNotLive, update_url_query  # type: ignore[import-untyped]

Info = dict[str, Any]

_SITE = r"http://127\.0\.0\.1:\d+/standin"
_NOT_RETRIED = (403, 429)


class _StandinBaseIE(InfoExtractor):  # type: ignore[misc]
    def _ask(self, url: str, item_id: str, what: str) -> Info:
        """The JSON at `url`; what the network spoils is asked for again, `extractor_retries` times."""
        for retry in self.RetryManager():
            try:
                answer: Info = self._download_json(url, item_id, note=f"Downloading {what}")
            except ExtractorError as error:
                status = error.cause.status if isinstance(error.cause, HTTPError) else None
                if not isinstance(error.cause, network_exceptions) or status in _NOT_RETRIED:
                    raise
                retry.error = error
                continue
            if answer.get("alert"):
                raise ExtractorError(f"YouTube said: {answer['alert']}", expected=True)
            return answer
        raise AssertionError("the retries end with an error")

    def _entries(self, page: Info, url: str, item_id: str) -> Iterator[Info]:
        """One page after another, each asked for when the one before it is used up."""
        number = 0
        while True:
            for entry in page["entries"]:
                if not self._configuration_arg("approximate_date", ie_key="youtubetab"):
                    entry["timestamp"] = None
                yield self.url_result(urljoin(url, entry.pop("path")), StandinIE, entry.pop("id"), **entry)
            if not page.get("continuation"):
                return
            number += 1
            more = update_url_query(urljoin(url, "/standin/browse"), {"continuation": page["continuation"]})
            next_page = self._ask_for_entries(more, item_id, number)
            if next_page is None:
                return
            page = next_page

    def _ask_for_entries(self, url: str, item_id: str, number: int) -> Info | None:
        """A page of a listing. An incomplete one is only warned of and ends the listing, unless told otherwise."""
        strict = bool(self._configuration_arg("raise_incomplete_data", ie_key="youtube"))
        for retry in self.RetryManager(fatal=strict):
            page = self._ask(url, item_id, f"page {number}")
            if "entries" in page:
                return page
            retry.error = ExtractorError("Incomplete data received", expected=True)
        return None

    def _list(self, url: str, item_id: str, what: str) -> Info:
        page = self._ask(url, item_id, what)
        listed: Info = self.playlist_result(self._entries(page, url, item_id), **page["about"])
        return listed


class StandinChannelIE(_StandinBaseIE):
    IE_NAME = "standin:channel"
    _VALID_URL = rf"{_SITE}/@(?P<id>[\w.-]+)/?$"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        channel = self._ask(url, name, "channel")
        tabs = [f"{url.rstrip('/')}/{tab}" for tab in channel["tabs"]]
        if channel["tabs_as_urls"] or self.get_param("playlist_items") == "0":
            return self.playlist_result([self.url_result(tab, StandinTabIE) for tab in tabs], **channel["about"])
        opened = [self._tab(tab, name) for tab in tabs]
        return opened[0] if len(opened) == 1 else self.playlist_result(opened, **channel["about"])

    def _tab(self, url: str, name: str) -> Info:
        names = {"extractor": StandinTabIE.IE_NAME, "extractor_key": StandinTabIE.ie_key(), "webpage_url": url}
        return {**self._list(url, name, "tab"), **names}


class StandinTabIE(_StandinBaseIE):
    IE_NAME = "standin:tab"
    _VALID_URL = rf"{_SITE}/@(?P<id>[\w.-]+)/(?:videos|shorts|streams)$"

    def _real_extract(self, url: str) -> Any:
        return self._list(url, self._match_id(url), "tab")


class StandinPlaylistIE(_StandinBaseIE):
    IE_NAME = "standin:playlist"
    _VALID_URL = rf"{_SITE}/playlist\?list=(?P<id>[\w-]+)"

    def _real_extract(self, url: str) -> Any:
        return self._list(url, self._match_id(url), "playlist")


class StandinIE(_StandinBaseIE):
    IE_NAME = "standin"
    _VALID_URL = rf"{_SITE}/(?:watch\?v=|shorts/)(?P<id>[\w-]+)"
    _RETURN_TYPE = "video"

    def _real_extract(self, url: str) -> Any:
        video_id = self._match_id(url)
        webpage = self._download_webpage(url, video_id)
        video = self._search_json(r'<script id="video" type="application/json">', webpage, "video", video_id)
        says, countries = video.pop("says"), video.pop("countries")
        if says is not None:
            self._refuse(video.pop("says_as"), says, video_id, countries)
        for each in video["formats"]:
            each["url"] = urljoin(url, each["url"])
        video["webpage_url"] = urljoin(url, f"/standin/watch?v={video_id}")
        return video

    def _refuse(self, kind: str, says: str, video_id: str, countries: list[str] | None) -> None:
        if kind == "not_live":
            raise UserNotLive(video_id=video_id)
        if kind == "geo":
            self.raise_geo_restricted(says, countries, metadata_available=True)
        elif kind == "login":
            self.raise_login_required(says, metadata_available=True)
        elif kind == "unexpected":
            raise ExtractorError(says, video_id=video_id)
        else:
            self.raise_no_formats(says, expected=True, video_id=video_id)
