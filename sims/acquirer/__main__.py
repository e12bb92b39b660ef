"""`python -m sims.acquirer`: listens until SIGTERM or SIGINT."""

import uvloop

from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from sims.observe import log_as_json
from sims.signals import until_asked_to_end


async def _serve(settings: AcquirerSettings) -> None:
    log = log_as_json(settings.name)
    async with AcquirerServer(settings) as server:
        log.info("listening", host=settings.host, port=server.port)
        await until_asked_to_end()
    log.info("ended")


if __name__ == "__main__":
    uvloop.run(_serve(AcquirerSettings()))
