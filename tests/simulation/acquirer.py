"""Acquirers: hosts with books of their own, and wires to them that lose, delay, garble and break."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import Message, encode
from services.card_router.link import NotSent, OutcomeUnknown, Unknown, Unsent
from services.card_router.outside import Acquirers

if TYPE_CHECKING:
    from tests.simulation.world import World

REQUESTS, CAPTURES, REVERSALS = {"0100", "0200"}, {"0220", "0221"}, {"0420", "0421"}
REFUND = "200000"
ECHOED = (3, 4, 7, 11, 32, 37, 41, 49)
# What becomes of a message on the wire, of a thousand.
FATES = {
    "answered": 900,
    "late": 30,
    # Whatever is sent behind it waits with it.
    "slow to arrive": 4,
    "answer lost": 20,
    "garbled": 12,
    "cut before": 12,
    "cut after": 12,
    "not sent": 10,
}
# How a host answers a request, of a hundred: approved, declined, partly approved, no code that counts.
WORDS = {"00": 82, "51": 8, "05": 4, "10": 3, "": 1, "91": 2}

Key = tuple[str, str, str]


@dataclass
class Entry:
    """What a host has booked under one request. Amounts are minor units; held is zero once it is given back."""

    rrn: str
    mti: str
    code: str
    processing_code: str
    amount_minor: int
    held_minor: int
    taken_minor: int = 0
    is_reversed: bool = False
    advices: dict[Key, str] = field(default_factory=dict)


class Host:
    """An acquirer: answers, and keeps books. It outlives every connection and every process of ours."""

    def __init__(self, world: "World", name: str) -> None:
        self._world, self.name = world, name
        self.entries: dict[Key, Entry] = {}
        self.stans: dict[tuple[str, str], tuple[str, ...]] = {}
        self.last_arrival_s = 0.0

    def book(self, message: Message) -> Message:
        """Act on a message as it arrives, and return the answer."""
        self._world.note(self.name, f"{message.mti} stan {message[11]} rrn {message.get(37)}", rrn=message.get(37))
        self._check_stan(message)
        if message.mti in REQUESTS:
            code, approval = self._requested(message)
        elif message.mti in CAPTURES:
            code, approval = self._captured(message), ""
        else:
            code, approval = self._reversed(message), ""
        echoed = {number: message[number] for number in ECHOED if number in message}
        changed = {4: f"{int(message[4]) // 2:012}"} if code == "10" else {}
        return Message(message.answer_mti, echoed | changed | ({38: approval} if approval else {}) | {39: code})

    def live(self, rrn: str) -> list[Entry]:
        """What is held or taken under a reference."""
        return [entry for entry in self.entries.values() if entry.rrn == rrn and entry.held_minor > 0]

    def _check_stan(self, message: Message) -> None:
        # A repeat of an advice is the same message; anything else under a STAN of today is a second use of it.
        mark = (message.mti[:3], message[7], message[4], message.get(37))
        known = self.stans.setdefault((message[11], message[7][:4]), mark)
        if known != mark:
            self._world.violated(
                f"{self.name}: STAN {message[11]} was used for {known} and for {mark}", message.get(37)
            )

    def _requested(self, message: Message) -> tuple[str, str]:
        key = _key(message)
        if key not in self.entries:
            code = self._world.pick(WORDS)
            amount = int(message[4])
            held = {"00": amount, "10": amount // 2}.get(code, 0)
            self.entries[key] = Entry(message[37], message.mti, code, message[3], amount, held)
        entry = self.entries[key]
        return entry.code, f"A{key[0][1:]}" if entry.code in {"00", "10"} else ""

    def _captured(self, message: Message) -> str:
        entry = self._original(message)
        if entry is None:
            return "25"
        key = _key(message)
        if key in entry.advices:
            return "94" if self._world.faults.rng.random() < 0.3 else entry.advices[key]
        amount = int(message[4])
        fits = not entry.is_reversed and entry.taken_minor + amount <= entry.held_minor
        if fits:
            entry.taken_minor += amount
        else:
            self._world.violated(
                f"{self.name}: a capture of {amount} from {entry.held_minor} with {entry.taken_minor} taken", entry.rrn
            )
        entry.advices[key] = "00" if fits else "13"
        return entry.advices[key]

    def _reversed(self, message: Message) -> str:
        entry = self._original(message)
        if self._world.pick({"00": 94, "96": 6}) == "96" and not self._world.faults.calm:
            return "96"
        if entry is None:
            return "25"
        stays = int(message.get(95)[:12] or 0)
        if entry.is_reversed:
            return "00"
        entry.held_minor = min(entry.held_minor, stays)
        if entry.mti == "0200":
            entry.taken_minor = 0
        entry.is_reversed = True
        return "00"

    def _original(self, message: Message) -> Entry | None:
        original = message[90]
        return self.entries.get((original[4:10], original[10:20], message[41]))


def _key(message: Message) -> Key:
    return message[11], message[7], message[41]


class Wire:
    """A connection of one process to a host (services.card_router.outside.Link)."""

    def __init__(self, world: "World", host: Host) -> None:
        self._world, self._host = world, host

    async def request(self, message: Message, timeout_s: float) -> Message:
        """Send a message and return its answer. Raises NotSent and OutcomeUnknown."""
        encode(message, ACQUIRERS[self._host.name])
        loop, faults = self._world.loop, self._world.faults
        fate = "answered" if faults.calm else self._world.pick(FATES)
        if fate != "answered":
            faults.counts[f"wire: {fate}"] += 1
        if fate == "not sent":
            raise NotSent(Unsent.NOT_READY)
        answer: asyncio.Future[Message] = loop.create_future()
        self._send(message, fate, timeout_s, answer)
        if fate.startswith("cut"):
            await asyncio.sleep(faults.delay("wire"))
            raise OutcomeUnknown(Unknown.CONNECTION_LOST)
        try:
            async with asyncio.timeout(timeout_s):
                answered = await answer
        except TimeoutError:
            raise OutcomeUnknown(Unknown.TIMEOUT) from None
        if fate == "garbled":
            raise OutcomeUnknown(Unknown.GARBLED)
        return answered

    def _send(self, message: Message, fate: str, timeout_s: float, answer: "asyncio.Future[Message]") -> None:
        if fate == "cut before":
            return
        loop, faults, host = self._world.loop, self._world.faults, self._host
        now = loop.time()
        takes = timeout_s * faults.rng.uniform(0.8, 1.5) if fate == "slow to arrive" else faults.delay("wire")
        # Bytes do not overtake each other, nor those of a connection that was there before.
        host.last_arrival_s = max(now + takes, host.last_arrival_s + 1e-6)
        loop.outside(host.last_arrival_s - now, self._arrive, message, fate, timeout_s, answer)

    def _arrive(self, message: Message, fate: str, timeout_s: float, answer: "asyncio.Future[Message]") -> None:
        booked = self._host.book(message)
        if fate in {"answer lost", "cut after"}:
            return
        faults = self._world.faults
        takes = timeout_s * faults.rng.uniform(0.9, 3) if fate == "late" else faults.delay("wire")
        self._world.loop.outside(takes, lambda: answer.done() or answer.set_result(booked))


def acquirers(world: "World") -> Any:
    """Return what stands in for services.card_router.outside.acquirers."""

    @asynccontextmanager
    async def reached(*_: Any, **__: Any) -> Any:
        yield Acquirers({name: Wire(world, host) for name, host in world.hosts.items()})

    return reached
