"""`channelscribe retranscribe [--where KEY=VALUE]… [--model NAME] [--dry-run]`"""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import ValidationError

from channelscribe.errors import UsageError
from channelscribe.speech.registry import resolve_model
from flows.commands.sync import ui_url
from flows.display import Display
from flows.output import EXIT_DONE, EXIT_SOME_FAILED, print_json, say, tell
from flows.session import call, engine, run_settings

CONDITIONS = ("channel", "model", "older_than", "quality_below")


def run(options: argparse.Namespace) -> int:
    settings, given = run_settings(options, speech__model=options.model)
    resolve_model(settings.speech)  # an unknown model is told before anything starts
    where = conditions(options.where)
    tell("Starting the database, the Prefect server and the Dask workers …")
    with engine(settings, "retranscribe") as (stack, catalogue):
        from flows.forms import RetranscribeRequest
        from flows.retranscribe import retranscribe
        from tasks.site_guard import provide_budgets

        provide_budgets(settings.sources)
        tell(f"Ready. Watch it in the Prefect UI: {ui_url(stack.addresses.prefect_api_url)}")
        try:
            request = RetranscribeRequest(**where, limit=options.limit, dry_run=True, settings=dict(given))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise UsageError(f"--where {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
        summary = call(retranscribe, request)
        tell(estimate(summary))
        if not options.dry_run and summary.chosen:
            with Display(catalogue):
                summary = call(retranscribe, request.model_copy(update={"dry_run": False}))
    if options.json:
        print_json({**summary.model_dump(mode="json"), "dry_run": options.dry_run})
    else:
        report(summary, options.dry_run)
    return EXIT_SOME_FAILED if summary.failures else EXIT_DONE


def conditions(given: list[str]) -> dict[str, str]:
    """KEY=VALUE to what the form takes. Raises UsageError."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in CONDITIONS or not value:
            raise UsageError(
                f"--where {text!r} is no condition.", remedy=f"Give {', '.join(f'{key}=…' for key in CONDITIONS)}."
            )
        if key in found:
            raise UsageError(f"--where {key} is given twice.")
        found[key] = value
    return found


def estimate(summary: Any) -> str:
    if not summary.chosen:
        return "Nothing is chosen: what fits is already of this model and these options."
    hours = summary.hours_of_work
    work = "" if hours is None else f", about {hours:.1f} h of work at the last day's pace"
    return f"{summary.chosen} transcripts, {summary.hours_of_audio:.1f} h of audio{work}."


def report(summary: Any, dry_run: bool) -> None:
    if dry_run:
        say(estimate(summary))
        return
    for failure in summary.failures:
        say(f"  {failure.title}: {failure.message} [{failure.reason}] {failure.remedy}".rstrip())
    say(f"{summary.published} published, {len(summary.failures)} failed; old versions: `channelscribe versions VIDEO`")
