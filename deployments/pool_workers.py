"""The work pools that `channelscribe up` serves, in one process.

    python -m deployments.pool_workers default=2 gpu=1      # pools, and how many runs of each go on at once

A `prefect worker start` for each pool is a process of 130 MB; they wait most of the time. Needs the address of the
Prefect server and the environment of runs in its own environment, and the pools on the server.
"""

from __future__ import annotations

import asyncio
import sys

from prefect.workers.process import ProcessWorker

__all__ = ["serve"]


async def serve(pools: dict[str, int]) -> None:
    """Start runs for as long as the process lives; whoever stops it stops the runs, too."""
    workers = [ProcessWorker(pool, name=f"laptop-{pool}", limit=limit) for pool, limit in pools.items()]
    await asyncio.gather(*(worker.start() for worker in workers))


if __name__ == "__main__":
    asyncio.run(serve({pool: int(limit) for pool, _, limit in (word.partition("=") for word in sys.argv[1:])}))
