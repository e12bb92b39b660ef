"""`python -m tests.card_router.fuzz SECONDS [SEED]`: damaged messages and streams of them, so long, in every dialect.

Whatever comes in, the codec answers with a message, which it then writes and reads again to the same, or MessageError;
the framing with messages or FrameError. Anything else ends the run with what was fed in, and the seed.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import (
    Dialect,
    FrameError,
    Framing,
    LengthFormat,
    MacKeys,
    Message,
    MessageError,
    decode,
    decode_sealed,
    encode,
    encode_sealed,
)
from services.chassis.tlv import TlvError, parse, write
from tests.card_router.samples import an_authorization

KEYS = MacKeys(bytes(range(16)))
CHIP = "9F2608A1B2C3D4E5F607089F3602001A82021980DF8101020102"
FRAMINGS = (
    *(dialect.framing for dialect in ACQUIRERS.values()),
    Framing(length_format=LengthFormat.PACKED),
    Framing(prefix_bytes=4, length_format=LengthFormat.TEXT),
)


def samples(dialect: Dialect) -> list[bytes]:
    """Return good messages to be damaged: a request, an answer, one with a second bitmap, network management."""
    wanted = an_authorization().fields
    full = {**wanted, 32: dialect.institution_id, 55: CHIP, 90: "0100000123112405331200000400001" + "0" * 11}
    spoken = {number: value for number, value in full.items() if number in dialect.elements}
    reversal = {number: spoken[number] for number in (2, 3, 4, 7, 11, 32, 37, 41, 42, 49, 90)} | {39: "68"}
    return [
        encode(Message("0100", {n: value for n, value in spoken.items() if n != 90}), dialect),
        encode(Message("0110", {7: wanted[7], 11: wanted[11], 39: "00", 41: wanted[41]}), dialect),
        encode(Message("0420", reversal), dialect),
        encode(Message("0800", {7: wanted[7], 11: wanted[11], 70: "001"}), dialect),
    ]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with some changed, left out, doubled or put in."""
    buffer = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(buffer) + 1)
        match chance.randrange(5):
            case 0 if at < len(buffer):
                buffer[at] = chance.randrange(256)
            case 1 if at < len(buffer):
                buffer[at] ^= 1 << chance.randrange(8)
            case 2:
                del buffer[at : at + chance.randrange(1, 9)]
            case 3:
                buffer[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                buffer[at:at] = buffer[at : at + chance.randrange(1, 33)]
    return bytes(buffer)


def feed_codec(data: bytes, dialect: Dialect) -> str:
    """Read the bytes; what can be read must survive being written and read once more."""
    try:
        message = decode(data, dialect)
    except MessageError as refused:
        return _refused(refused.offset, data)
    assert decode(encode(message, dialect), dialect) == message
    return "read"


def feed_sealed(data: bytes, dialect: Dialect) -> str:
    """Nothing but what was sealed with our key gets through."""
    try:
        message = decode_sealed(data, dialect, KEYS)
    except MessageError:
        return "refused"
    if dialect.mac is not None and not message.mti.startswith("08"):
        assert encode_sealed(message, dialect, KEYS) == data, "a code that does not cover the message"
    return "read"


def feed_framing(stream: bytes, framing: Framing, chance: random.Random) -> str:
    """Split the stream however it arrives: in pieces the outcome is that of the whole."""
    whole, pieces = _split(framing, [stream]), _split(framing, _pieces(stream, chance))
    assert whole == pieces
    return "refused" if whole[1] else "read"


def feed_tlv(data: bytes) -> str:
    """What can be read is written back byte for byte."""
    try:
        objects = parse(data)
    except TlvError as refused:
        return _refused(refused.offset, data)
    assert write(objects) == data
    return "read"


def fuzz(seconds: float, seed: int) -> Counter[str]:
    """Feed damaged bytes for so long; return how many of each kind were read and refused. AssertionError on a find."""
    chance = random.Random(seed)
    dialects = [*ACQUIRERS.values(), *(replace(dialect, required={}) for dialect in ACQUIRERS.values())]
    good = {id(dialect): samples(dialect) for dialect in dialects}
    seen: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        dialect, framing = chance.choice(dialects), chance.choice(FRAMINGS)
        data = damaged(chance.choice(good[id(dialect)]), chance)
        stream = b"".join(framing.frame(one) for one in good[id(dialect)])
        seen[f"codec {_tried(feed_codec, data, dialect)}"] += 1
        seen[f"sealed {_tried(feed_sealed, data, dialect)}"] += 1
        seen[f"framing {_tried(feed_framing, damaged(stream, chance), framing, chance)}"] += 1
        seen[f"tlv {_tried(feed_tlv, damaged(bytes.fromhex(CHIP), chance))}"] += 1
    return seen


def _refused(offset: int, data: bytes) -> str:
    assert 0 <= offset <= len(data), "an offset outside the data"
    return "refused"


def _tried(feed: Callable[..., str], data: bytes, *others: object) -> str:
    try:
        return feed(data, *others)
    except Exception as found:
        raise AssertionError(f"{feed.__name__}: {type(found).__name__} for {data.hex()} with {others}") from found


def _split(framing: Framing, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    received, messages = bytearray(), []
    try:
        for piece in pieces:
            received += piece
            messages += list(_kept(framing, received))
    except _BrokenError as broken:
        return messages + broken.before, True
    return messages, False


class _BrokenError(Exception):
    def __init__(self, before: list[bytes]) -> None:
        super().__init__()
        self.before = before


def _kept(framing: Framing, received: bytearray) -> list[bytes]:
    messages: list[bytes] = []
    try:
        for message in framing.split(received):
            messages.append(message)  # noqa: PERF402 - what came before a broken frame counts
    except FrameError:
        raise _BrokenError(messages) from None
    return messages


def _pieces(stream: bytes, chance: random.Random) -> list[bytes]:
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(8)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


if __name__ == "__main__":
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"seed {chosen}\n")
    for kind, times in sorted(fuzz(float(sys.argv[1]), chosen).items()):
        sys.stdout.write(f"{kind}: {times:,}\n")
