"""Published videos that are to be transcribed again: which, how long that takes, and a few at a time."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.catalogue import leases, stats, transcripts
from channelscribe.catalogue.transcripts import Candidate, Wanted
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.registry import resolve_model
from tasks.progress import share_done
from tasks.reannotate import claim_transcripts
from tasks.records import VideoWork
from tasks.resources import catalogue, settings_of

SPEECH = ("recognize", "align", "diarize")


@task(name="choose-transcripts", persist_result=False)
def choose_transcripts(wanted: Wanted, limit: int | None, owner: str, options: dict[str, Any]) -> list[Candidate]:
    """Those that the run's models would make differently: what a stopped run has done is not chosen again."""
    speech = settings_of(options).speech
    chosen = [each for each in catalogue().run(transcripts.choose, wanted) if not made_with(each, speech)]
    return chosen[:limit]


def made_with(candidate: Candidate, speech: SpeechOptions) -> bool:
    """Whether a transcript is of the models and options that would be used now.

    Without speech only the recognizer counts; a language without an aligner has none, whatever is asked for.
    """
    wanted = resolve_model(speech, candidate.seconds).fingerprint(speech)
    models = candidate.models
    if models.get("recognizer") != wanted["recognizer"]:
        return False
    if candidate.no_speech:
        return True
    return models.get("diarizer") == wanted["diarizer"] and models.get("aligner") in (None, wanted["aligner"])


def hours_of_work(seconds: float) -> float | None:
    """What the speech stages take for so many seconds of audio, at their pace of the last day; None without one."""
    factors = {stage.stage: stage.real_time_factor for stage in catalogue().run(stats.figures).stages}
    known = [factors.get(name) for name in SPEECH]
    if known[0] is None:
        return None
    return sum(seconds / factor for factor in known if factor) / 3600


class ChosenVideos:
    """Call it with a number for the next videos, leased; those that another run works on are passed over."""

    def __init__(self, chosen: list[Candidate], owner: str, lease_seconds: float) -> None:
        self._left = list(chosen)
        self._owner = owner
        self._seconds = lease_seconds
        self._taken = 0

    def __call__(self, count: int) -> list[VideoWork]:
        found: list[VideoWork] = []
        while self._left and len(found) < count:
            some, self._left = self._left[: count - len(found)], self._left[count - len(found) :]
            found += claim_transcripts([work(each, self._owner) for each in some], self._seconds)
        self._taken += len(found)
        return found

    def share(self) -> float | None:
        """About how much of the run is done, 0 to 1."""
        return share_done(self._taken, len(self._left), catalogue().run(leases.progress, self._owner))

    def stop(self) -> None:
        """Nothing more in this run."""
        self._left = []


def work(candidate: Candidate, owner: str) -> VideoWork:
    return VideoWork(
        pk=candidate.pk,
        site=candidate.site,
        video_id=candidate.video_id,
        url=candidate.url,
        title=candidate.title,
        channel=candidate.channel,
        owner=owner,
    )
