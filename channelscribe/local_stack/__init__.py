"""The laptop stack: PostgreSQL, one Prefect server and one Dask cluster, started for as long as a command needs them.

A small keeper process owns the services; commands hold a connection to it. When the last connection closes,
whether by a normal end, Ctrl-C or `kill -9`, the keeper stops everything. A second command on the same data folder
finds the keeper and shares what runs.
"""

from channelscribe.local_stack.client import LocalStack
from channelscribe.local_stack.services import Addresses

__all__ = ["Addresses", "LocalStack"]
