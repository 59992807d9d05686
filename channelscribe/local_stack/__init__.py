"""The local stack: PostgreSQL, one Prefect server and one Dask cluster, started for as long as a command needs them.

A small supervisor process owns the services; commands hold a connection to it. When the last connection closes,
whether by a normal end, Ctrl-C or `kill -9`, it stops everything. A second command on the same data folder finds it
and shares what runs. Nothing here imports an engine: the services are other programs.
"""

from channelscribe.local_stack.services import Addresses
from channelscribe.local_stack.stack import LocalStack, needed, running_addresses

__all__ = ["Addresses", "LocalStack", "needed", "running_addresses"]
