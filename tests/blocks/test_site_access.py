"""The block of access to sites: its secrets stay its own, on a worker it becomes the library's options."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from blocks import SiteAccessBlock
from channelscribe.errors import InvalidSetting, SignInRequired
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tests.conftest import clean_environment
from tests.standin.channels import Video
from tests.standin.site import StandinSite

SECRET = "canary-77"
COOKIES = f".example.org\tTRUE\t/\tFALSE\t0\tsession\t{SECRET}\n"


def test_an_empty_block_changes_nothing() -> None:
    options = SiteAccessBlock().options()
    assert not any(options.model_dump().values())
    SiteAccessBlock().check_reachable()


def test_every_field_says_what_it_is() -> None:
    fields = SiteAccessBlock.model_fields
    assert all(field.title and field.description for field in fields.values())


def test_it_becomes_the_librarys_options() -> None:
    block = SiteAccessBlock(
        cookies=COOKIES,
        proxy=f"socks5h://me:{SECRET}@proxy:1080",
        player_clients="default, web_embedded",
        extractor_args=f"youtube:po_token=web.gvs+{SECRET}\nyoutubepot-x:base_url=http://h",
    )
    options = block.options()
    assert options.player_clients == ("default", "web_embedded")
    assert len(options.extractor_args) == 2
    block.check()
    assert SECRET not in repr(block) + repr(options) + str(block.model_dump())


@pytest.mark.parametrize(
    "field", [{"proxy": f"nonsense://{SECRET}"}, {"extractor_args": SECRET}, {"player_clients": f"a {SECRET}"}]
)
def test_a_wrong_field_is_named_and_not_shown(field: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(field))) as caught:
        SiteAccessBlock(**field).check()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_cookies_are_checked_before_use() -> None:
    with pytest.raises(SignInRequired):
        SiteAccessBlock(cookies=f"session={SECRET}").check()


def test_its_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandinSite() as standin:
        standin.alone.append(Video("aaa"))
        asked = []
        monkeypatch.setattr("blocks.site_access.try_canary", lambda url, options: asked.append(url))
        SiteAccessBlock(canary_url=standin.video_url("aaa")).check_reachable()
        assert asked == [standin.video_url("aaa")]


SCRIPT = """
import json, logging, sys
logging.basicConfig(level=logging.DEBUG)
from blocks import SiteAccessBlock
from channelscribe.errors import StackError
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from tasks.resources import source_options

cookies, secret, own = sys.argv[1:]
block = SiteAccessBlock(cookies=cookies, proxy=f"http://me:{secret}@proxy:8080", player_clients="web")
block.save("home", overwrite=True)
run = SettingsRegistry(run={"sources": {"access": "home", "cookies_file": own, "retries": 7}}).resolve()
travelling = to_travel(run)
got = source_options(travelling)
try:
    source_options({"sources": {"access": "nowhere"}})
    missing = ""
except StackError as error:
    missing = str(error)
print(json.dumps({
    "travels": json.dumps(travelling),
    "retries": got.retries,
    "cookies": secret in got.cookies.get_secret_value(),
    "file": got.cookies_file,
    "proxy": secret in got.proxy.get_secret_value(),
    "players": got.player_clients,
    "shown": repr(got),
    "missing": missing,
    "without": source_options({}).player_clients,
}))
"""


@pytest.mark.stack
def test_a_worker_loads_it_and_nothing_secret_travels(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, COOKIES, SECRET, str(tmp_path / f"{SECRET}.txt")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["retries"], found["cookies"], found["proxy"], found["players"]) == (7, True, True, ["web"])
    assert (found["file"], found["without"]) == (None, [])
    assert "channelscribe-site-access/nowhere" in found["missing"]
    assert json.loads(found["travels"])["sources"]["access"] == "home"
    assert SECRET not in found["travels"] + found["shown"] + found["missing"] + done.stderr
