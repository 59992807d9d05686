"""The list of channels: what each entry becomes, and what is said of a wrong one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channelscribe.errors import InvalidSetting
from channelscribe.sources.subscriptions import write_opml
from deployments.channels import FILE, channels
from flows.forms import SyncRequest

GOOD = """
channels:
  - name: city-radio
    source: https://www.youtube.com/@city-radio
    cron: "15 6 * * *"
    timezone: Europe/Berlin
    limit: 20
    since: 2026-01-01
    settings:
      speech.model: small
      filters: {min_minutes: 5}
  - {name: feed, source: "https://example.org/feed.xml", cron: "0 */4 * * *", active: false}
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "channels.yaml"
    file.write_text(text)
    return file


def test_each_entry_is_a_schedule(tmp_path: Path) -> None:
    radio, feed = channels(written(tmp_path, GOOD))
    assert (radio.slug, radio.cron, radio.timezone, radio.active) == (
        "git-city-radio",
        "15 6 * * *",
        "Europe/Berlin",
        True,
    )
    assert radio.parameters["request"] == {
        "source": "https://www.youtube.com/@city-radio",
        "limit": 20,
        "since": "2026-01-01",
        "settings": {"speech.model": "small", "filters": {"min_minutes": 5}},
    }
    assert (feed.timezone, feed.active) == ("UTC", False)
    assert feed.parameters == {"request": {"source": "https://example.org/feed.xml"}}


def test_a_list_of_shows_is_a_schedule_a_show(tmp_path: Path) -> None:
    shows = [("One", "https://one.example/f"), ("Two", "https://two.example/f")]
    (tmp_path / "mine.opml").write_bytes(write_opml("Mine", shows))
    entry = '{name: mine, source: mine.opml, cron: "0 * * * *", limit: 3}'
    found = channels(written(tmp_path, f"channels:\n  - {entry}\n"))
    assert [each.parameters["request"] for each in found] == [{"source": url, "limit": 3} for _, url in shows]
    assert len({each.slug for each in found}) == 2
    (tmp_path / "mine.opml").write_bytes(write_opml("Mine", shows[::-1]))
    again = channels(written(tmp_path, f"channels:\n  - {entry}\n"))
    assert [each.slug for each in again] == [each.slug for each in found[::-1]]
    (tmp_path / "mine.opml").unlink()
    with pytest.raises(InvalidSetting, match=r"line 2 \(mine\): .*mine.opml cannot be read"):
        channels(written(tmp_path, f"channels:\n  - {entry}\n"))


def test_nothing_is_synced_by_itself() -> None:
    assert channels() == []


def test_its_commented_examples_are_right(tmp_path: Path) -> None:
    text = FILE.read_text()
    examples = text[text.index("# channels:") : text.index("channels: []")]
    assert len(channels(written(tmp_path, re.sub("(?m)^# ?", "", examples)))) == 2


ENTRY = (
    "channels:\n  - {name: ok, source: 'https://a.org', cron: '0 1 * * *'}\n  - name: bad\n    source: https://b.org\n"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ENTRY + "    cron: every day\n", "line 3 (bad): cron"),
        (ENTRY + "    cron: 0 1 * * *\n    timezone: Europe/Berln\n", "line 3 (bad): timezone: is no time zone"),
        (ENTRY, "line 3 (bad): cron: Field required"),
        (ENTRY + "    cron: 0 1 * * *\n    limti: 3\n", "line 3 (bad): limti"),
        (ENTRY + "    cron: 0 1 * * *\n    limit: 0\n", "line 3 (bad): limit"),
        (ENTRY + "    cron: 0 1 * * *\n    settings: {speech.modle: x}\n", "speech.modle"),
        (ENTRY + "    cron: 0 1 * * *\n    settings: {speech: {hub_token: canary-3}}\n", "speech.hub_token"),
        (ENTRY + "    cron: 0 1 * * *\n    settings: {database.url: canary-3}\n", "database.url"),
        (ENTRY.replace("name: bad", "name: ok") + "    cron: 0 1 * * *\n", "line 3 (ok): there is another"),
        (ENTRY.replace("https://b.org", "b.org") + "    cron: 0 1 * * *\n", "line 3 (bad): source"),
        ("channels:\n  - just a word\n", "line 2"),
        ("channels:\n  a: b\n", "line 2: channels is no list"),
        ("channel: []\n", "holds no list"),
        ("channels:\n  - {name: [\n", "line 3"),
        ("- a\n- b\n", "holds no list"),
        ("", "holds no list"),
    ],
)
def test_a_wrong_entry_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        channels(written(tmp_path, text))
    assert says in str(caught.value)
    assert "channels.yaml" in str(caught.value)
    assert "canary-3" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        channels(tmp_path / "none.yaml")


@pytest.mark.parametrize("login", ["me:s3cr3t@", "s3cr3t@", "me:s3%40cr3t@"])
def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path, login: str) -> None:
    entry = f'{{name: closed, source: "https://{login}example.org/feed.xml", cron: "0 * * * *"}}'
    with pytest.raises(InvalidSetting, match=r"line 2 \(closed\): source: has a user or a password") as caught:
        channels(written(tmp_path, f"channels:\n  - {entry}\n"))
    assert "s3" not in str(caught.value)


def test_what_is_kept_to_taste_becomes_filters_of_the_runs(tmp_path: Path) -> None:
    taste = "newest: 5, title: ^Talk, min_minutes: 2, max_minutes: 90, season: 3, since: 2026-01-01"
    entry = f'{{name: show, source: "file:///srv/interviews", cron: "0 * * * *", {taste}}}'
    (schedule,) = channels(written(tmp_path, f"channels:\n  - {entry}\n"))
    request = SyncRequest.model_validate(schedule.parameters["request"])
    assert request.own_settings() == {
        "filters.newest": 5, "filters.title": "^Talk", "filters.min_minutes": 2, "filters.max_minutes": 90,
        "filters.season": 3, "filters.published_from": "2026-01-01",
    }  # fmt: skip
    broken = entry.replace("^Talk", '"(["')
    with pytest.raises(InvalidSetting, match="title"):
        channels(written(tmp_path, f"channels:\n  - {broken}\n"))
