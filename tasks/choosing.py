"""Published videos that are to be transcribed again: which, and how long that takes."""

from __future__ import annotations

from prefect import task

from channelscribe.catalogue import stats, transcripts
from channelscribe.catalogue.transcripts import Candidate, Wanted
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.registry import resolve_model
from tasks.records import Options, VideoWork
from tasks.resources import catalogue, settings_of

SPEECH = ("recognize", "align", "diarize")


@task(name="choose-transcripts", persist_result=False)
def choose_transcripts(wanted: Wanted, limit: int | None, options: Options) -> list[Candidate]:
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
    of_publisher = (models.get("recognizer") or {}).get("name") == "publisher" and speech.transcripts == "publisher"
    if models.get("recognizer") != wanted["recognizer"] and not of_publisher:
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


def video_of(candidate: Candidate, owner: str) -> VideoWork:
    """Not leased yet."""
    return VideoWork(
        pk=candidate.pk,
        site=candidate.site,
        video_id=candidate.video_id,
        url=candidate.url,
        title=candidate.title,
        channel=candidate.channel,
        owner=owner,
    )
