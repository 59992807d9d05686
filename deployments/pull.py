"""The pull step of every deployment: the code is on the worker already; stand where it is.

The folder of `prefect.yaml` in a checkout or an image, where `.env` and `config.yaml` are looked for and entrypoints
are found; the folder of the packages where channelscribe was installed as a wheel. Nothing of the machine that
deployed is written into a deployment, and no worker needs to be told.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


def stand_in_the_code() -> dict[str, str]:
    """Change into the folder that holds `flows/`. Prefect wants its name back."""
    os.chdir(ROOT)
    return {"directory": str(ROOT)}
