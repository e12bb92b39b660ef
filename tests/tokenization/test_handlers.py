"""A sealed card becomes a token, the same one however often it comes; a bad one is refused by name."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from florin.common.v1.instrument_pb2 import CARD_SCHEME_VISA
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret
from google.protobuf.message import Message

from services.chassis.declare import heard_by
from services.tokenization.handlers import TokenizationHandlers
from services.tokenization.store import FINGERPRINTS, KEYS, TOKENS
from tests.kit.once import exactly_once
from tests.tokenization.conftest import Replica
from tests.tokenization.examples import NUMBER, a_card, a_payment, requested

pytestmark = pytest.mark.real


def rows(replica: Replica, table: str) -> list[dict[str, object]]:
    found = replica.dynamodb.scan(TableName=table, ConsistentRead=True)
    assert "LastEvaluatedKey" not in found
    return list(found["Items"])


def token_created(said: list[Message]) -> TokenCreated:
    (fact,) = said
    assert isinstance(fact, TokenCreated)
    return fact


def test_a_card_becomes_a_token_once(replica: Replica) -> None:
    before = len(rows(replica, TOKENS))
    fact = requested(replica.keys, a_card("5555555555554444"), a_payment(), "mer_once")
    created = token_created(exactly_once(None, "tokenization", replica.handlers, fact))

    assert created.payment_id == fact.payment_id
    assert (created.card.bin, created.card.last4) == ("555555", "4444")
    assert len(rows(replica, TOKENS)) == before + 1


def test_the_same_card_of_a_merchant_has_one_token(replica: Replica, another: Replica) -> None:
    first, second = (
        token_created(one.handlers.hear_requested(requested(one.keys, a_card(), a_payment())))
        for one in (replica, another)
    )

    assert first.card == second.card
    assert first.card.scheme == CARD_SCHEME_VISA


def test_another_merchant_has_another_token_and_the_same_fingerprint(replica: Replica) -> None:
    one, other = (
        token_created(replica.handlers.hear_requested(requested(replica.keys, a_card(), a_payment(), merchant)))
        for merchant in ("mer_demo", "mer_other")
    )

    assert one.card.token != other.card.token
    assert one.card.fingerprint == other.card.fingerprint


def test_a_renewed_card_has_another_token_and_the_old_one_keeps_its_expiry(replica: Replica) -> None:
    old, renewed = (
        token_created(replica.handlers.hear_requested(requested(replica.keys, a_card(year=year), a_payment())))
        for year in (2030, 2034)
    )

    assert old.card.token != renewed.card.token
    assert replica.vault.card(old.card.token, "mer_demo") == a_card(year=2030)
    assert replica.vault.card(renewed.card.token, "mer_demo") == a_card(year=2034)


def test_replicas_that_meet_the_same_card_agree(replica: Replica, another: Replica) -> None:
    before = len(rows(replica, TOKENS))
    facts = [requested(replica.keys, a_card(), a_payment(), "mer_crowd") for _ in range(8)]

    def tokenized(number: int) -> str:
        one = (replica, another)[number % 2]
        for _ in range(20):  # DynamoDB may refuse a transaction because of another one; the chassis then tries again
            try:
                return token_created(one.handlers.hear_requested(facts[number])).card.token
            except one.dynamodb.exceptions.TransactionCanceledException:
                continue
        raise AssertionError("never came through")

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(tokenized, range(8)))

    assert len(tokens) == 1
    assert len(rows(replica, TOKENS)) == before + 1, "a loser left a card behind"


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (b"\xff", "seal_broken"),
        (a_card("4111111111111112"), "card_number_invalid"),
        (CardSecret(track2="4111111111111112=30122010000"), "card_number_invalid"),
        (CardSecret(track2="4111111111111111=30132010000"), "track_invalid"),
        (CardSecret(track2="4111111111111111"), "track_invalid"),
        (CardSecret(track2=f"{NUMBER}=30122010000", number=NUMBER), "track_invalid"),
        (CardSecret(), "card_number_invalid"),
    ],
    ids=[
        "not a card",
        "wrong check digit",
        "of a track",
        "no month",
        "half a track",
        "a track and a number",
        "nothing",
    ],
)
def test_a_bad_card_is_refused(replica: Replica, secret: bytes, reason: str) -> None:
    fact = requested(replica.keys, secret)

    assert exactly_once(None, "tokenization", replica.handlers, fact) == [
        TokenRefused(payment_id="pay_1", reason=reason)
    ]


def test_a_seal_of_another_payment_is_refused(replica: Replica) -> None:
    fact = requested(replica.keys, a_card())
    fact.payment_id = "pay_2"

    assert replica.handlers.hear_requested(fact) == [TokenRefused(payment_id="pay_2", reason="seal_broken")]


BOUND_TO = "mer_demo/T0000001/sale-1"


@pytest.mark.parametrize("separator", ["=", "D"])
def test_of_a_track_number_and_expiry_are_kept_and_nothing_else(replica: Replica, separator: str) -> None:
    track = CardSecret(track2=f"{NUMBER}{separator}30122010000000000F")
    fact = requested(replica.keys, track, a_payment(), bound_to=BOUND_TO)

    created = token_created(replica.handlers.hear_requested(fact))
    plain = token_created(replica.handlers.hear_requested(requested(replica.keys, a_card(), a_payment())))

    assert created.card == plain.card
    assert replica.vault.card(created.card.token, "mer_demo") == a_card()


@pytest.mark.parametrize("elsewhere", ["mer_demo/T0000001/sale-2", "mer_demo/T0000002/sale-1", ""])
def test_a_terminals_seal_opens_for_its_own_reference_alone(replica: Replica, elsewhere: str) -> None:
    fact = requested(replica.keys, a_card(), bound_to=BOUND_TO)
    fact.sealed_card.bound_to = elsewhere

    assert replica.handlers.hear_requested(fact) == [TokenRefused(payment_id="pay_1", reason="seal_broken")]


def test_a_seal_under_a_key_that_nobody_has_is_refused(replica: Replica) -> None:
    fact = requested(replica.keys, a_card())
    fact.sealed_card.key_id = "seal-nowhere"

    assert replica.handlers.hear_requested(fact) == [TokenRefused(payment_id="pay_1", reason="sealing_key_unknown")]


def test_no_table_and_no_fact_holds_a_number(replica: Replica) -> None:
    created = token_created(replica.handlers.hear_requested(requested(replica.keys, a_card(), a_payment())))

    assert NUMBER not in str(created)
    for table in (TOKENS, FINGERPRINTS, KEYS):
        assert NUMBER not in str(rows(replica, table))


def test_every_handler_is_told() -> None:
    assert [name for name, _, _ in heard_by(TokenizationHandlers)] == ["hear_requested"]
