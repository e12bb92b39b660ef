"""An acquirer host for the link's tests. Reads with pyiso8583's own table, writes raw bytes, never Florin's codec."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any, Self

import iso8583
from iso8583.specs import default_ascii

Fields = dict[str, str]

NETWORK_ANSWERS = {"001": "00", "002": "00", "301": "00"}


def packed(mti: str, fields: Mapping[int, str]) -> bytes:
    """Put a message together by hand: `fields` hold wire text, lengths included."""
    bits = dict(fields)
    if any(number > 64 for number in bits):
        bits[1] = f"{sum(1 << (128 - number) for number in bits if number > 64):016X}"
    primary = f"{sum(1 << (64 - number) for number in bits if number <= 64):016X}"
    return f"{mti}{primary}{''.join(bits[number] for number in sorted(bits))}".encode("ascii")


def answer_to(request: Fields, mti: str, code: str = "00", **changes: str) -> bytes:
    """Answer a payment, a capture or a reversal as hosts do: identifying elements echoed, DE39 and DE38 added."""
    fields = {
        4: request["4"],
        7: request["7"],
        11: request["11"],
        32: f"{len(request['32']):02}{request['32']}",
        37: request["37"],
        38: "A1B2C3",
        39: code,
        41: request["41"],
    }
    return packed(mti, fields | {int(number.removeprefix("de")): value for number, value in changes.items()})


class Peer:
    """Listens on a free port. Network management is answered from `network_answers` (DE70 -> DE39; absent: silence)."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.network_answers: dict[str, str] = dict(NETWORK_ANSWERS)
        self.requests: asyncio.Queue[Fields] = asyncio.Queue()
        self.network: asyncio.Queue[Fields] = asyncio.Queue()
        self.frames: list[bytes] = []
        self.connected_at: list[float] = []
        self.port = port
        self._ssl = ssl_context
        self._paused = False
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._ssl)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        # A connection accepted a moment ago turns up only in the loop's next turns.
        await asyncio.sleep(0)
        while vars(self._server)["_active_count"]:
            await self.drop()
            await asyncio.sleep(0)

    async def drop(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._writers.clear()

    def send(self, *messages: bytes) -> None:
        """Send messages in frames, all in one piece."""
        self.send_raw(b"".join(len(message).to_bytes(2, "big") + message for message in messages))

    def send_raw(self, data: bytes) -> None:
        self._writers[-1].write(data)

    def pause_reading(self) -> None:
        """Take nothing from the socket any more, from connections yet to come as well."""
        self._paused = True
        for writer in self._writers:
            transport = writer.transport
            assert isinstance(transport, asyncio.ReadTransport)
            transport.pause_reading()

    async def next_request(self) -> Fields:
        async with asyncio.timeout(5):
            return await self.requests.get()

    async def next_network(self, code: str) -> Fields:
        """Return the next network management message with this DE70, skipping others."""
        async with asyncio.timeout(5):
            while (message := await self.network.get())["70"] != code:
                pass
        return message

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connected_at.append(asyncio.get_running_loop().time())
        if self._paused:
            self.pause_reading()
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                self._receive(await reader.readexactly(length), writer)
        writer.close()

    def _receive(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        self.frames.append(frame)
        decoded: Any = iso8583.decode(frame, default_ascii)[0]
        message: Fields = dict(decoded)
        if message["t"] != "0800":
            self.requests.put_nowait(message)
            return
        self.network.put_nowait(message)
        code = self.network_answers.get(message["70"])
        if code is not None:
            answer = packed("0810", {7: message["7"], 11: message["11"], 39: code, 70: message["70"]})
            writer.write(len(answer).to_bytes(2, "big") + answer)
