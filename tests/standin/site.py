"""A stand-in for YouTube on 127.0.0.1, for tests with the real yt-dlp; the log of requests is the witness.

    with StandinSite() as site:
        news = site.channel("news", Video("aaa"), Video("bbb", tab="shorts"))
        list_source(news.url, SourceOptions(allow_private_addresses=True))
        news.publish(Video("ccc", says="Private video"))
        site.fail("media", 429, times=2, retry_after=30)
        assert len(site.media_requests("aaa")) == 1

The yt-dlp side is the plugin in `plugin/`, which `tests/conftest.py` puts on the path of this process and of every
process that tests start. As with SampleServer, sources need `allow_private_addresses`.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

from channelscribe.sample import world
from channelscribe.sample.feed import sample_items
from tests.standin.channels import Channel, Generated, Playlist, Video
from tests.standin.faults import Fault, On
from tests.standin.request_log import Asked, RequestLog
from tests.standin.serving import StandinHandler

__all__ = ["Asked", "Channel", "Fault", "Generated", "Playlist", "StandinSite", "Video"]

SOUND = "interlude"  # the shortest sample episode


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class StandinSite(RequestLog):
    """Serves channels, playlists and videos inside a ``with`` block, on a port of its own.

    `sound` is the media of videos that have none of their own, `seconds_of_sound` its length, `extension` its kind;
    by default an episode of the sample, which the sample's speech models understand. `page_size` is the number of
    entries on one page of a listing, `bytes_per_second` slows media down, `signature_uses` is how many requests one
    signed media address serves (None: any number).
    """

    def __init__(
        self, sound: bytes | None = None, seconds_of_sound: float | None = None, extension: str = "mp3", port: int = 0
    ):
        super().__init__()
        sample = next(item for item in sample_items() if item.id == SOUND)
        self.sound = world.episode(SOUND).path.read_bytes() if sound is None else sound
        self.seconds_of_sound = seconds_of_sound if sound is not None else sample.duration
        self.extension = extension
        self.page_size = 30
        self.bytes_per_second: int | None = None
        self.signature_uses: int | None = None
        self.channels: dict[str, Channel] = {}
        self.playlists: dict[str, Playlist] = {}
        self.alone: list[Video] = []  # in no channel
        self._faults: list[Fault] = []
        self._signatures: dict[str, int | None] = {}  # uses that are left
        self._counter = itertools.count(1)
        handler = type("SiteHandler", (StandinHandler,), {"site": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="standin-site", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/standin"

    # what there is

    def channel(self, name: str, *videos: Video, title: str = "", **more: bool) -> Channel:
        """A channel with these videos, each in its own tab, the newest first."""
        channel = Channel(f"{self.url}/@{name}", name, title or name.title(), {}, **more)
        channel.publish(*videos)
        channel.tabs = {tab: channel.tabs[tab] for tab in ("videos", "streams", "shorts") if tab in channel.tabs}
        self.channels[name] = channel
        return channel

    def playlist(self, playlist_id: str, *videos: Video, title: str = "") -> Playlist:
        url = f"{self.url}/playlist?list={playlist_id}"
        self.playlists[playlist_id] = Playlist(url, playlist_id, title or playlist_id, list(videos))
        return self.playlists[playlist_id]

    def video_url(self, video: Video | str) -> str:
        return f"{self.url}/watch?v={video if isinstance(video, str) else video.id}"

    def videos(self) -> Iterator[Video]:
        """All videos, those in two places twice."""
        yield from self.alone
        lists = [tab for channel in self.channels.values() for tab in channel.tabs.values()]
        for each in [*lists, *(playlist.videos for playlist in self.playlists.values())]:
            yield from each

    def video(self, video_id: str) -> Video | None:
        return next((each for each in self.videos() if each.id == video_id), None)

    def vanish(self, video_id: str) -> None:
        """Take a video away: out of every listing, and its page says 404."""
        self.alone = [each for each in self.alone if each.id != video_id]
        for channel in self.channels.values():
            channel.remove(video_id)
        for playlist in self.playlists.values():
            playlist.videos = [each for each in playlist.videos if each.id != video_id]

    def media_of(self, video: Video) -> bytes:
        return self.sound if video.media is None else video.media

    def seconds(self, video: Video) -> float | None:
        return self.seconds_of_sound if video.duration == -1 else video.duration

    # what goes wrong

    def fail(
        self,
        on: On,
        status: int | None,
        *,
        times: int | None = None,
        retry_after: int | str | None = None,
        containing: str = "",
        page: int | None = None,
    ) -> Fault:
        """From now on such requests fail, `times` of them or until `heal`: see `Fault`. Its `hits` count them."""
        fault = Fault(on, status, times, retry_after, containing, page)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()

    def expire_signatures(self) -> None:
        """Media addresses given out so far answer 403; the page of the video gives new ones."""
        with self._lock:
            self._signatures.clear()

    # for the handler

    def fault_for(self, asked: Asked, page: int) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._faults if fault.strikes(asked, page)), None)

    def sign(self, video: Video) -> str:
        """A new signature for the media of a video."""
        with self._lock:
            signature = f"s{next(self._counter)}"
            if video.refused_signatures > 0:
                video.refused_signatures -= 1
            else:
                self._signatures[signature] = self.signature_uses
            return signature

    def accepts(self, signature: str) -> bool:
        """Whether a signature is good for one more request; uses it."""
        with self._lock:
            left = self._signatures.get(signature, 0)
            if left is not None:
                self._signatures[signature] = left - 1
            return left is None or left > 0

    def __enter__(self) -> StandinSite:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
