"""How a simulator is asked to end."""

import asyncio
import signal


async def until_asked_to_end() -> None:
    """Wait for SIGTERM or SIGINT."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
