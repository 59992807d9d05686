from __future__ import annotations

import socket

import pytest

from channelscribe.errors import AddressRefused, NotAURL, SourceUnreachable
from channelscribe.sources.addresses import check_url, display_url, display_urls, public_url


@pytest.mark.parametrize(
    "url",
    ["", "example.org/feed.xml", "file:///etc/passwd", "ftp://example.org/a", "ytsearch:x", "http://", "http://a b/",
     "http://h:99999/", "http://h:0/", "javascript:alert(1)", "http://[::1/", "-rf", "http://a/\x00", "https:///x"],
)  # fmt: skip
def test_what_is_no_web_address(url: str) -> None:
    with pytest.raises(NotAURL) as caught:
        check_url(url, allow_private=True)
    assert "https://" in caught.value.remedy


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[::ffff:127.0.0.1]",
     "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "127.1", "2130706433", "0x7f.0.0.1", "[fec0::1]", "[::127.0.0.1]",
     "[::8.8.8.8]", "[64:ff9b:1::808:808]", "[::ffff:0:127.0.0.1]", "[::ffff:0:8.8.8.8]", "[2001:0:808:808::1]",
     "[2002:a00:1::]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[100::1]", "[4000::1]", "[fd00::1%25lo]",
     "192.0.2.1", "198.18.0.1", "203.0.113.9", "192.0.0.8", "192.88.99.1", "240.0.0.1"],
)  # fmt: skip
def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_url(f"http://{host}:8000/feed.xml", allow_private=False)
    assert "sources.allow_private_addresses" in caught.value.remedy
    check_url(f"http://{host}:8000/feed.xml", allow_private=True)


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "[2a00:1450::1]"]
)
def test_public_addresses_are_allowed(host: str) -> None:
    check_url(f"https://{host}/", allow_private=False)


def test_one_private_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, 0, 0, "", (address, 0)) for address in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)
    with pytest.raises(AddressRefused):
        check_url("http://example.org/", allow_private=False)


def test_a_host_without_an_address() -> None:
    with pytest.raises(SourceUnreachable, match=r"nowhere\.invalid"):
        check_url("http://nowhere.invalid/feed.xml", allow_private=False)


def test_behind_a_proxy_names_are_the_proxys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
    check_url("http://nowhere.invalid/feed.xml", allow_private=False)
    with pytest.raises(AddressRefused):
        check_url("http://10.0.0.7/", allow_private=False)


def test_shown_addresses_hold_no_secrets() -> None:
    assert display_url("https://user:pa55@example.org/f.xml?token=t0ken#frag") == "https://example.org/f.xml"
    watched = "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5s&pp=s3cret"
    assert display_url(watched) == "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/f.xml", "https://www.youtube.com/playlist?list=PL" + "a1" * 20,
     "https://a.org/f?format=rss&n=5",
     "https://a.org/f?awEpisodeId=0f1e2d3c-0000-4000-8000-1234567890ab&utm_source=feed",
     "http://[broken?token=x", "x y"],
)  # fmt: skip
def test_an_address_without_secrets_stays_as_it_is(url: str) -> None:
    assert public_url(url) == url


@pytest.mark.parametrize(
    "query",
    ["token=S3CRET", "a=1&auth=S3CRET&b=2", "X-Amz-Signature=S3CRET", "accessToken=S3CRET",
     "api_key=S3CRET", "key=S3CRET", "Policy=S3CRET", "x=S3CRET" + "a1" * 20, "userEmail=S3CRET%40example.org",
     "authuser=S3CRET", "p%61ssword=S3CRET"],
)  # fmt: skip
def test_what_is_secret_in_an_address_is_marked(query: str) -> None:
    whole = f"https://me:pa55@example.org:8443/f.xml?{query}"
    public = public_url(whole)
    assert "S3CRET" not in public and "pa55" not in public and "me" not in public.partition("example")[0]
    assert public.startswith("https://example.org:8443/f.xml?") and public_url(public) == public
    assert public_url(whole.replace("S3CRET", "0THER")) == public  # a new token for the same file
    feed = public_url(whole, distinct=True)
    assert "S3CRET" not in feed and public_url(feed, distinct=True) == public_url(feed) == feed
    assert public_url(whole.replace("S3CRET", "0THER"), distinct=True) != feed  # another feed
    assert public_url(whole.replace("pa55", "0ther"), distinct=True) == feed  # a new password


def test_a_password_alone() -> None:
    assert public_url("http://me:s%2Fecret@feeds.example.org/show.xml") == "http://feeds.example.org/show.xml"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no address at all: a/b?c=d", "no address at all: a/b?c=d"),
        ("at https://user:pa55@example.org/f?token=t0ken, then", "at https://example.org/f then"),
        ("'http://a:b@c.org/d?e' and socks5h://u:p@h.org:1080/", "'http://c.org/d' and socks5h://h.org:1080/"),
        ("http://u:pa55@[broken?x", "'http://[broken'"),
    ],
)
def test_a_text_is_shown_without_what_is_secret_in_its_addresses(text: str, shown: str) -> None:
    assert display_urls(text) == shown
