"""The acquirer simulator as a process of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from services.card_router.link import AcquirerLink, Address, LinkSettings, Unmatched
from sims.journal import read_journal
from tests.card_router.samples import DIALECT

SETTINGS = LinkSettings(first_pause_s=0.02, longest_pause_s=0.2, stable_after_s=0.2)


@dataclass
class Acquirer:
    """The simulator as a process, which can be killed and started again on the same port and journal."""

    journal: Path
    port: int
    process: Process | None = None
    told: dict[str, str] = field(default_factory=dict)
    unmatched: list[Unmatched] = field(default_factory=list)

    async def start(self) -> None:
        told = {"ACQUIRER_PORT": str(self.port), "ACQUIRER_JOURNAL": str(self.journal), "ACQUIRER_LATE_MS": "150"}
        told |= self.told
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sims.acquirer", env=os.environ | told, stdout=DEVNULL
        )

    async def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(how)
        await self.process.wait()

    def link(self) -> AcquirerLink:
        return AcquirerLink(DIALECT, Address("127.0.0.1", self.port), SETTINGS, on_unmatched=self.unmatched.append)

    @property
    def held_minor(self) -> int:
        return sum(line["held_minor"] for line in read_journal(self.journal) if line.get("posted"))

    @property
    def booked_minor(self) -> int:
        return sum(line["booked_minor"] for line in read_journal(self.journal) if line.get("posted"))
