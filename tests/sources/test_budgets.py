"""Names and rates of budgets."""

from __future__ import annotations

from channelscribe.settings.options import SourceOptions
from channelscribe.sources.budgets import RateLimit, budget_of, budgets, egress_of
from channelscribe.sources.site_key import scope_of, scope_of_video


def test_an_outgoing_address_has_a_budget_of_its_own() -> None:
    assert budgets(SourceOptions()) == [RateLimit("youtube", 300 / 3600)]
    office = SourceOptions(egress="office", budgets={"youtube": 60, "vimeo": 0})
    assert budgets(office) == [RateLimit("youtube-office", 60 / 3600)]
    assert (egress_of(office), egress_of(SourceOptions())) == ("office", "default")
    assert budget_of("vimeo", office) is budget_of("example.org", office) is None


def test_whom_a_request_goes_to() -> None:
    for url in ("https://www.youtube.com/@channel/videos", "https://youtu.be/dQw4w9WgXcQ", "https://m.youtube.com/@x"):
        assert scope_of(url) == "youtube"
    assert scope_of("https://example.org/feed.xml") == "example.org"
    assert scope_of_video("generic", "https://cdn.example.org/a.mp3") == "cdn.example.org"
    assert scope_of_video("youtube", "https://www.youtube.com/watch?v=a") == "youtube"
