"""`python -m sims.acquirer`: listens until SIGTERM or SIGINT. SIGUSR1: cutover. SIGUSR2: a new key for every peer."""

import asyncio
import signal

import uvloop

from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from sims.observe import log_as_json
from sims.signals import until_asked_to_end


async def _serve(settings: AcquirerSettings) -> None:
    log = log_as_json(settings.name)
    async with AcquirerServer(settings) as server:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, server.cut_over)
        loop.add_signal_handler(signal.SIGUSR2, server.change_keys)
        log.info("listening", host=settings.host, port=server.port)
        await until_asked_to_end()
    log.info("ended")


if __name__ == "__main__":
    uvloop.run(_serve(AcquirerSettings()))
