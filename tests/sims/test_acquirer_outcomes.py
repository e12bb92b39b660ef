"""The table of outcomes, walked whole over a real connection."""

import json

import pytest
from stdnum import luhn

from sims.acquirer.outcomes import AmountRule, Behaviour, Table
from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from sims.journal import read_journal
from tests.sims.acquirer_peer import Peer, network, payment, points_back

TABLE = Table.load()
CARDS = [pytest.param(card.number, id=f"{card.scheme}, {card.meaning}") for card in TABLE.cards.values()]
CODES = [rule for rule in TABLE.amounts.values() if rule.behaviour is Behaviour.ANSWER]


def amount(ending: str) -> str:
    return f"00000012{ending}"


def test_every_number_is_a_card_number() -> None:
    assert [card.meaning for card in TABLE.cards.values() if not luhn.is_valid(card.number)] == []


@pytest.mark.parametrize("mti", ["0100", "0200"])
@pytest.mark.parametrize("number", CARDS)
async def test_every_card(peer: Peer, number: str, mti: str) -> None:
    card = TABLE.cards[number]
    answer = await peer.ask(payment(mti, de2=number, de48=f"9203{card.security_code or '999'}"))

    assert (answer["t"], answer["39"]) == (f"0{mti[1]}10", card.code)
    assert ("38" in answer) == (card.code == "00")


@pytest.mark.parametrize("rule", CODES, ids=lambda rule: rule.meaning)
async def test_every_code_by_amount(peer: Peer, rule: AmountRule) -> None:
    answer = await peer.ask(payment(de4=amount(rule.ends_with)))

    assert answer["39"] == rule.code
    assert "38" not in answer


@pytest.mark.parametrize(
    ("additional_data", "code"),
    [("9203123", "00"), ("9203124", "N7"), ("", "N7"), ("2202AB9203123", "00"), ("920312", "30")],
    ids=["right", "wrong", "none", "right, after another", "unreadable"],
)
async def test_a_card_that_says_so_is_checked_for_its_code(peer: Peer, additional_data: str, code: str) -> None:
    answer = await peer.ask(payment(de2="4000000000000101", de48=additional_data))

    assert answer["39"] == code


async def test_a_declining_card_declines_whatever_the_amount(peer: Peer) -> None:
    assert (await peer.ask(payment(de2="4000000000009995", de4=amount("7001"))))["39"] == "51"


async def test_any_other_card_is_approved_if_it_is_one(peer: Peer) -> None:
    assert (await peer.ask(payment(de2="4012888888881881")))["39"] == "00"
    assert (await peer.ask(payment(de2="4012888888881882")))["39"] == "14"


@pytest.mark.parametrize(
    ("ending", "held_minor"), [("7001", 127001), ("7002", 0)], ids=["approved", "lost before it was processed"]
)
async def test_no_answer(peer: Peer, acquirer_settings: AcquirerSettings, ending: str, held_minor: int) -> None:
    peer.send(payment(de4=amount(ending)))

    await peer.nothing_but_an_echo()
    assert sum(line["held_minor"] for line in read_journal(acquirer_settings.journal)) == held_minor


@pytest.mark.parametrize("ending", ["7003", "7006"], ids=["late", "slow"])
async def test_a_delayed_answer_is_overtaken(peer: Peer, acquirer_settings: AcquirerSettings, ending: str) -> None:
    delayed, quick = payment(de4=amount(ending)), payment()
    peer.send(delayed)
    peer.send(quick)

    assert [(await peer.receive())["11"] for _ in range(2)] == [quick["11"], delayed["11"]]
    [line] = [line for line in read_journal(acquirer_settings.journal) if line["kind"] == "answer"]
    waited_ms = acquirer_settings.late_ms if ending == "7003" else acquirer_settings.slow_ms
    assert line["stan"] == delayed["11"]
    assert line["handled_us"] >= waited_ms * 1000


@pytest.mark.parametrize(
    ("ending", "held_minor"), [("7004", 127004), ("7008", 0)], ids=["approved", "lost before it was processed"]
)
async def test_a_cut(
    acquirer: AcquirerServer, acquirer_settings: AcquirerSettings, ending: str, held_minor: int
) -> None:
    peer = await Peer.connect(acquirer.port)
    peer.send(payment(de4=amount(ending)))

    assert await peer.ends()
    assert sum(line["held_minor"] for line in read_journal(acquirer_settings.journal)) == held_minor
    await peer.close()


async def test_a_garbled_answer_keeps_its_frame(peer: Peer) -> None:
    peer.send(payment(de4=amount("7005")))

    garbled = await peer.receive_bytes()

    assert garbled[:20] == b"0110" + b"?" * 16
    await peer.nothing_but_an_echo()


async def test_an_answer_sent_twice(peer: Peer) -> None:
    request = payment(de4=amount("7007"))
    peer.send(request)

    first, second = await peer.receive(), await peer.receive()

    assert first == second
    assert first["11"] == request["11"]
    await peer.nothing_but_an_echo()


@pytest.mark.parametrize("mti", ["0220", "0420"])
async def test_the_first_advice_unanswered(peer: Peer, acquirer_settings: AcquirerSettings, mti: str) -> None:
    """What was booked the first time is not booked again when the repeat is answered."""
    original = payment(de4=amount("7009"))
    await peer.ask(original)
    advice = points_back(mti, original)
    peer.send(advice)
    await peer.nothing_but_an_echo()

    answer = await peer.ask(advice | {"t": f"{mti[:3]}1"})

    assert (answer["t"], answer["39"]) == (f"{mti[:2]}30", "00")
    lines = list(read_journal(acquirer_settings.journal))
    assert sum(line["held_minor"] for line in lines) == 0
    assert sum(line["booked_minor"] for line in lines) == (127009 if mti == "0220" else 0)


async def test_a_base_delay_counts_for_money_only(acquirer_settings: AcquirerSettings) -> None:
    async with AcquirerServer(acquirer_settings.model_copy(update={"delay_ms": 30})) as server:
        peer = await Peer.connect(server.port)
        peer.send(payment())
        await peer.nothing_but_an_echo()
        assert (await peer.receive())["39"] == "00"
        await peer.close()
    lines = list(read_journal(acquirer_settings.journal))
    assert [line["handled_us"] >= 30_000 for line in lines if line["kind"] == "answer"] == [True]


async def test_the_journal_holds_no_number_and_no_code(peer: Peer, acquirer_settings: AcquirerSettings) -> None:
    await peer.ask(payment(de48="9203987", de43=f"{'SHOP':<25}{'PUNE':<13}IN"))
    await peer.ask(network("301"))

    text = acquirer_settings.journal.read_text()

    assert "4242424242424242" not in text
    assert "987" not in text.replace(json.dumps(list(read_journal(acquirer_settings.journal))[1]["at"]), "")
    assert "424242******4242" in text
