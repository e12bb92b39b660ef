"""The other end of an acquirer's link, written with pyiso8583 so that the two ends cannot agree on a mistake."""

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import Any

import iso8583
from iso8583.specs import default_ascii

ANSWER_WITHIN_S = 5
CARD = "4242424242424242"
_stans = count(1)


def next_stan() -> str:
    return f"{next(_stans):06}"


def payment(mti: str = "0100", **changed: str) -> dict[str, str]:
    """A complete request; `de4="..."` changes an element, `de4=""` leaves it out."""
    number = next_stan()
    fields = {
        "t": mti,
        "2": CARD,
        "3": "000000",
        "4": "000000049900",
        "7": "1124053312",
        "11": number,
        "14": "3112",
        "32": "400001",
        "37": f"632805{number}",
        "41": "TERM0001",
        "42": "MERCHANT0000001",
        "49": "356",
    }
    fields |= {name.removeprefix("de"): value for name, value in changed.items()}
    return {name: value for name, value in fields.items() if value}


def points_back(mti: str, original: dict[str, str], **changed: str) -> dict[str, str]:
    """An advice about an earlier request: its own STAN, the same RRN, DE90."""
    elements = f"{original['t']}{original['11']}{original['7']}{original['32']:0>11}{'':0>11}"
    return payment(mti, **{"de37": original["37"], "de4": original["4"], "de90": elements, **changed})


def network(code: str) -> dict[str, str]:
    return {"t": "0800", "7": "1124053000", "11": next_stan(), "70": code}


@dataclass
class Peer:
    """One connection to the host."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connect(cls, port: int, *, sign_on: bool = True) -> "Peer":
        peer = cls(*await asyncio.open_connection("127.0.0.1", port))
        if sign_on:
            assert (await peer.ask(network("001")))["39"] == "00"
        return peer

    def send_bytes(self, data: bytes) -> None:
        self.writer.write(len(data).to_bytes(2, "big") + data)

    def send(self, fields: dict[str, str]) -> None:
        self.send_bytes(bytes(iso8583.encode(dict(fields), default_ascii)[0]))

    async def receive_bytes(self) -> bytes:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            length = int.from_bytes(await self.reader.readexactly(2), "big")
            return await self.reader.readexactly(length)

    async def receive(self) -> dict[str, Any]:
        return dict(iso8583.decode(await self.receive_bytes(), default_ascii)[0])

    async def ask(self, fields: dict[str, str]) -> dict[str, Any]:
        self.send(fields)
        return await self.receive()

    async def nothing_but_an_echo(self) -> None:
        """Whatever was asked before, the next thing to arrive is the answer to an echo."""
        assert (await self.ask(network("301")))["t"] == "0810"

    async def ends(self) -> bool:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return
