"""A video's page in the Prefect UI: a key that Prefect takes, and never a reason to fail."""

from __future__ import annotations

import pytest
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.actions import ArtifactCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.export import VideoMeta
from channelscribe.local_stack import LocalStack
from channelscribe.transcript import Transcript
from tasks import artifacts
from tasks.records import VideoWork

VIDEO = VideoWork(pk=1, site="youtube", video_id="v", url="u", title="a\nb", channel="c", owner="o")


@pytest.mark.parametrize(
    "video_id", ["dQw4w9WgXcQ", "_-_-_", "night-train", "a" * 300, "Ä ö/..", "-leading", "UPPER", "upper"]
)
def test_keys_are_prefects(video_id: str) -> None:
    key = artifacts.transcript_artifact_key("youtube", video_id)
    assert ArtifactCreate(key=key).key == key
    assert len(key) < 110


def test_different_videos_have_different_keys() -> None:
    ids = ["abc", "ABC", "a-bc", "a_bc", "a__bc", "_abc", "x" * 200, "x" * 201]
    assert len({artifacts.transcript_artifact_key("youtube", each) for each in ids}) == len(ids)
    assert artifacts.transcript_artifact_key("generic", "night-train") == "transcript-generic-night-train"


def test_the_key_of_a_source_has_no_token_of_it() -> None:
    keys = [artifacts.source_key("sync", f"https://user:pa55@example.org/feed?token={each}") for each in ("t0k", "t1k")]
    assert len(set(keys)) == 2
    for key in keys:
        assert key.startswith("sync-https-example-org-feed-")
        assert ArtifactCreate(key=key).key == key
    assert artifacts.source_key("sync", "https://example.org/a") == artifacts.artifact_key(
        "sync", "https://example.org/a"
    )


@pytest.mark.parametrize("broken", ["create_markdown_artifact", "page"])
def test_a_page_that_cannot_be_made_fails_nothing(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no server")

    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda **_: None)
    monkeypatch.setattr(artifacts, broken, fail)
    artifacts.show_transcript(VIDEO, Transcript("en", 1.0), VideoMeta("t", "u", "v"), 1)


@pytest.mark.stack
@pytest.mark.filterwarnings("ignore:Artifact creation outside of a flow")
def test_the_pages_of_a_video_can_be_deleted(stack: LocalStack) -> None:
    with temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}):
        for video_id in ("gone", "gone", "stays"):
            create_markdown_artifact("# page", key=artifacts.transcript_artifact_key("nowhere", video_id))
        assert artifacts.forget_artifacts("nowhere", "gone") == 2
        assert artifacts.forget_artifacts("nowhere", "gone") == 0
        assert artifacts.forget_artifacts("nowhere", "stays") == 1
