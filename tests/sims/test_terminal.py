"""The terminal's scripts are whole, its cards are what the vault and the service take, and its plug can be pulled."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from florin.common.v1 import instrument_pb2 as instruments
from florin.common.v1.money_pb2 import Money
from florin.terminals.v1.terminal_service_pb2 import PresentedCard
from pydantic import ValidationError

from services.chassis.sealing import BrokenSealError, unseal
from services.chassis.validation import violations
from services.terminals.cards import presented
from services.tokenization.domain import checked
from sims.terminal.__main__ import SHIPPED, main, missing
from sims.terminal.cards import CARDS, X25519PublicKey, emv_data, sealed, secret
from sims.terminal.line import Line
from sims.terminal.script import Script, read

SCRIPTS = sorted(SHIPPED.glob("*.yaml"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_read(path: Path) -> None:
    script = read(path)

    assert all(step.expect for step in script.steps)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"sale": {"reference": "a", "amount_minor": 1}, "void": {"reference": "b", "original": "a"}},
        {"sale": {"reference": "a", "amount_minor": 0}},
        {"sale": {"reference": "a", "amount_minor": 1, "card": "nobody's"}},
        {"find": {"reference": "a"}, "unplug": "gently"},
        {"find": {"reference": "a", "original": "b"}},
    ],
)
def test_a_script_with_a_mistake_is_refused(step: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Script.model_validate({"shows": "a mistake", "steps": [step]})


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("entry", ["CHIP", "CONTACTLESS", "MAGSTRIPE", "MANUAL"])
def test_a_card_is_what_florin_takes(name: str, entry: str) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - here alone

    card, amount, key = CARDS[name], Money(amount_minor=49900, currency="INR"), X25519PrivateKey.generate()
    public: X25519PublicKey = key.public_key()
    ciphertext = sealed(public.public_bytes_raw(), "m/t/r", secret(card, entry))
    chip = entry in {"CHIP", "CONTACTLESS"}
    data = emv_data(card, amount, 7, {"DF8101": "CAFE"}, contactless=entry == "CONTACTLESS") if chip else b""
    shown = PresentedCard(
        sealed_card=instruments.SealedCard(key_id="k", ciphertext=ciphertext),
        entry_mode=instruments.CardEntryMode.Value(f"CARD_ENTRY_MODE_{entry}"),
        emv_data=data,
    )

    assert violations(shown) == {}
    assert presented(shown, amount, "T0000001").emv_data == data
    kept = checked(unseal(key, "florin/card", "m/t/r", ciphertext))
    assert (kept.number, kept.expiry_year, kept.expiry_month) == (card.number, *card.expires)
    with pytest.raises(BrokenSealError):
        unseal(key, "florin/card", "m/t/other", ciphertext)


@pytest.mark.parametrize(
    ("expected", "wrong"), [({"state": "A"}, 0), ({"state": ["B", "A"]}, 0), ({"state": "B"}, 1), ({"none": 1}, 1)]
)
def test_what_is_not_as_expected_is_said(expected: dict[str, object], wrong: int) -> None:
    assert len(missing(expected, {"state": "A"})) == wrong


@pytest.mark.parametrize("how", ["cut", "silence"])
async def test_a_pulled_plug_lets_nothing_through(how: str) -> None:
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(100):
                writer.write(chunk)
        writer.close()
        ended.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        async with Line("127.0.0.1", server.sockets[0].getsockname()[1]).plugged_in() as line:
            reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            line.pull(how)
            writer.write(b"after")
            with pytest.raises((TimeoutError, OSError, asyncio.IncompleteReadError)) as heard:
                await asyncio.wait_for(reader.readexactly(1), 0.2)
            assert (heard.type is TimeoutError) is (how == "silence")
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await ended.wait()


def test_what_cannot_be_played_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("steps: []")

    assert main([str(bad)]) == main([str(tmp_path / "none.yaml")]) == 2
    assert "shows" in capsys.readouterr().err
