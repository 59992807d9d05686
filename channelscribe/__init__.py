"""channelscribe: a searchable, time-stamped, speaker-tagged transcript library of whole channels.

This package is the library: plain Python with no engine in it. `tasks/` shows it to Prefect, `flows/` runs it.
"""

__version__ = "0.1.0"
