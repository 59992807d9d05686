"""When a step's work counts as done already, and when a failure is worth another try.

The store is the memory. What a step answered is a small JSON object there, beside what it names, so every worker on
every host finds it, and so do a sweep and a takedown. An answer counts only while all that it names is there: what the
store lost, whoever took it away, is made again.

Keys are made of content (ids, sha256 sums, models, options) and a version per step, never of the run: Prefect's own
default policy contains the run id, so nothing would ever be found again by another run. Raise a step's version when
its code starts to give other results.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.filesystems import WritableFileSystem
from prefect.results import ResultStore
from prefect.serializers import JSONSerializer
from prefect.tasks import Task

from channelscribe.errors import JITTER, RETRY_DELAYS, ObjectMissing, is_worth_retrying
from channelscribe.files import content_key
from channelscribe.local_stack.places import places_of
from channelscribe.store.layout import RESULTS, result_key
from tasks.resources import own_settings, store

P = ParamSpec("P")
R = TypeVar("R")
Parts = Callable[[dict[str, Any]], tuple[Any, ...]]


@dataclass
class ContentPolicy(CachePolicy):
    """A named cache policy: the key of the step's answer in the store, by the sha256 of the parts of the inputs.

    `of_video`: the answer is about the video alone, and goes with it. Else another video may share it.
    """

    step: str = ""
    version: int = 1
    parts: Parts = lambda inputs: ()
    of_video: bool = False

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **kwargs: Any
    ) -> str:
        return self.key(inputs)

    def key(self, inputs: dict[str, Any]) -> str:
        video = (inputs["video"].site, inputs["video"].video_id) if self.of_video else None
        return result_key(self.step, self.version, content_key(*self.parts(inputs)), video)

    def answered(self, inputs: dict[str, Any]) -> bool:
        """Whether the step has an answer to these inputs that counts."""
        try:
            Answers().read_path(self.key(inputs))
        except (ObjectMissing, ValueError):
            return False
        return True

    def remember(self, inputs: dict[str, Any], answer: Any) -> None:
        """Keep what is known to be the answer, as the step itself would."""
        ResultStore(result_storage=Answers(), serializer=JSONSerializer()).write(answer, self.key(inputs))

    def forget(self, inputs: dict[str, Any]) -> None:
        """The step is to be done again."""
        store().delete(self.key(inputs))
        old_place(self.key(inputs)).unlink(missing_ok=True)

    def earlier(self, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """The fields of what the step answered to these inputs, whether what they name is still there or not."""
        try:
            return fields_of(answer_at(self.key(inputs)))
        except (ObjectMissing, ValueError):
            return None


class Answers(WritableFileSystem):
    """Prefect's place for results: the store of this worker's settings.

    Steps are functions, so their engine asks with `_sync=True` and awaits nothing.
    """

    _block_type_name = "Answers of steps"

    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """A result as Prefect wrote it. Raises ObjectMissing when it is not there, or something that it names."""
        content = answer_at(path)
        try:
            fields = fields_of(content)
        except ValueError as error:  # empty after a power cut: answers are not waited for until they are on the disk
            raise ObjectMissing(f"{path} is no answer.") from error
        for key in named_keys(fields):
            if not store().exists(key):
                raise ObjectMissing(f"{key}, which {path} names, is not in the store.")
        return content

    def write_path(self, path: str, content: bytes, **_: Any) -> None:  # type: ignore[override]
        """Failures have random names: nobody would ever look for them."""
        if path.startswith(f"{RESULTS}/"):
            store().put_bytes(content, path, overwrite=True, durable=False)

    def _resolve_path(self, path: str) -> None:
        """Keys are whole: Prefect shall make no paths of them."""


def answer_at(key: str) -> bytes:
    """The content of a result. Raises ObjectMissing."""
    try:
        return store().read_bytes(key)
    except ObjectMissing:
        # Releases up to 0.1.0 kept them on each machine, under the last part of the name.
        with suppress(OSError):
            return old_place(key).read_bytes()
        raise


def old_place(key: str) -> Path:
    return places_of(own_settings().data_dir).library / RESULTS / key.rpartition("/")[2].removesuffix(".json")


def fields_of(content: bytes) -> dict[str, Any]:
    """The fields of the record that a result holds; none where it holds something else. Raises ValueError."""
    record = json.loads(json.loads(content)["result"])
    found: Any = record.get("data") if isinstance(record, dict) else None
    return found if isinstance(found, dict) else {}


def named_keys(value: Any, name: str = "") -> Iterator[str]:
    """The keys in the store that a record names: its fields called key, …_key, …_keys, and those of records in it."""
    if isinstance(value, dict):
        for field, each in value.items():
            yield from named_keys(each, field)
    elif isinstance(value, list):
        for each in value:
            yield from named_keys(each, name)
    elif isinstance(value, str) and "/" in value and (name == "key" or name.endswith(("_key", "_keys"))):
        yield value


def remembered(policy: ContentPolicy, **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]:
    """`@task` for a step whose answer, a record of JSON, the store keeps under the policy's key."""

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        made: Task[P, R] = task(cache_policy=policy, persist_result=True, result_serializer="json", **options)(function)
        # The decorator takes only blocks that a server has; this one is the worker's own settings.
        made.result_storage = Answers()
        return made

    return decorate


def worth_retrying(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition. Must stay a plain function."""
    error: Any = getattr(state.data, "result", state.data)
    return is_worth_retrying(error)


RETRIES: dict[str, Any] = {
    "retries": len(RETRY_DELAYS),
    "retry_delay_seconds": RETRY_DELAYS,
    "retry_jitter_factor": JITTER,
    "retry_condition_fn": worth_retrying,
}
"""What each step that can be tried again is declared with. Not with tags: the engine asks the server for slots of each
tag before the work begins, whether there is a limit of that name or not, which took up to seconds.
"""
