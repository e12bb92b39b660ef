"""The firewall's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import Chassis, Parts, Settings, run
from services.firewall.engine import Engine, files
from services.firewall.service import Firewall, handler


class FirewallSettings(Settings):
    """What the firewall needs to know besides."""

    coreruleset: Path
    """The folder with the rules of the OWASP Core Rule Set."""


@asynccontextmanager
async def compose(chassis: Chassis[FirewallSettings]) -> AsyncIterator[Parts]:
    """The rules are read first: a file with a mistake ends the process before it is asked anything."""
    engine = Engine(files(chassis.settings.coreruleset))
    yield Parts(generic=[handler(Firewall(engine))])


if __name__ == "__main__":
    run("firewall", FirewallSettings, compose)
