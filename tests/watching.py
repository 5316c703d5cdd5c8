"""Whether an event loop was kept from going on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Watch:
    """How late the loop was, at worst, in seconds."""

    late = 0.0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Watch]:
    """Measures the loop while the block runs."""
    watch = Watch()

    async def measure() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.005)
            watch.late = max(watch.late, time.perf_counter() - start)

    measuring = asyncio.create_task(measure())
    await asyncio.sleep(0)
    try:
        yield watch
    finally:
        await asyncio.sleep(0)
        measuring.cancel()
