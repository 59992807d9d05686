"""Where messages may go: the URL of a webhook, or a block of Prefect's, TYPE/NAME, such as slack-webhook/newsroom."""

from __future__ import annotations

import re

from channelscribe.errors import UsageError
from channelscribe.notify.webhooks import check_target, is_webhook
from channelscribe.settings.options import NotifyOptions

__all__ = ["check", "is_webhook"]

BLOCK = re.compile(r"[a-z0-9-]+/[a-z0-9-]+")


def check(target: str, options: NotifyOptions) -> None:
    """Raises UsageError for what is neither; AddressRefused, NotAURL, SourceUnreachable for a URL that will not do."""
    if is_webhook(target):
        check_target(target, allow_private=options.allow_private_addresses)
    elif not BLOCK.fullmatch(target):
        raise UsageError(
            f"{target!r} is neither a URL nor a Prefect block.",
            remedy="Give https://… or TYPE/NAME, such as slack-webhook/newsroom.",
        )
