"""What the vault answers, over gRPC, and to whom."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
import redis
from florin.tokenization.v1.tokenization_service_pb2 import (
    CardSecret,
    DetokenizeRequest,
    DetokenizeResponse,
    GetSealingKeyRequest,
    HoldSecurityCodeRequest,
    ResealRequest,
)
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceStub
from structlog.testing import capture_logs

from services.tokenization.outside import HeldCodes
from services.tokenization.store import TOKENS
from tests.kit.serve import as_caller, served
from tests.tokenization.conftest import Replica
from tests.tokenization.examples import CODE, NUMBER, a_card, a_payment, code_to_hold, requested

pytestmark = pytest.mark.real

API = as_caller("payments")
ROUTER = as_caller("card_router")


@pytest.fixture
def stub(replica: Replica, tmp_path: Path) -> Iterator[TokenizationServiceStub]:
    with served(tmp_path / "s", "florin.tokenization.v1.TokenizationService", replica.service) as channel:
        yield TokenizationServiceStub(channel)


@pytest.fixture
def token(replica: Replica) -> str:
    return replica.vault.keep("mer_demo", a_card()).token


def opened(
    stub: TokenizationServiceStub, token: str, payment_id: str, merchant: str = "mer_demo"
) -> DetokenizeResponse:
    return stub.Detokenize(DetokenizeRequest(token=token, merchant_id=merchant, payment_id=payment_id), **ROUTER)


def refused(call: Callable[[], object]) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert NUMBER not in str(error.value)
    return error.value.code()


def test_the_key_to_seal_under_is_the_one_that_opens(stub: TokenizationServiceStub, replica: Replica) -> None:
    answer = stub.GetSealingKey(GetSealingKeyRequest(), **API)

    assert (answer.key_id, answer.public_key) == replica.keys.newest()
    assert answer.max_age_s == 3600


def test_a_card_is_opened_with_its_code_once(stub: TokenizationServiceStub, replica: Replica, token: str) -> None:
    payment_id = a_payment()
    stub.HoldSecurityCode(code_to_hold(replica.keys, payment_id), **API)

    first, second = (opened(stub, token, payment_id) for _ in range(2))

    assert first == DetokenizeResponse(number=NUMBER, expiry_month=12, expiry_year=2030, cvv=CODE)
    assert second == DetokenizeResponse(number=NUMBER, expiry_month=12, expiry_year=2030)


def test_a_code_is_held_sealed_and_leaves_nothing(
    stub: TokenizationServiceStub, replica: Replica, token: str, codes: redis.Redis
) -> None:
    payment_id = a_payment()
    stub.HoldSecurityCode(code_to_hold(replica.keys, payment_id), **API)
    (key,) = codes.keys()
    assert CODE.encode() not in HoldSecurityCodeRequest.FromString(codes.get(key)).ciphertext
    assert 0 < codes.pttl(key) <= 15 * 60 * 1000

    opened(stub, token, payment_id)

    assert codes.dbsize() == 0
    assert codes.config_get("save")["save"] == ""
    assert codes.config_get("appendonly")["appendonly"] == "no"


def test_a_code_that_nobody_takes_expires(replica: Replica, codes: redis.Redis) -> None:
    HeldCodes(codes, hold_ms=1).hold(code_to_hold(replica.keys, "pay_1"))
    while codes.keys():
        pass

    assert replica.codes.take("pay_1") is None


def test_a_code_sealed_for_another_payment_is_not_handed_out(
    stub: TokenizationServiceStub, replica: Replica, token: str
) -> None:
    payment_id = a_payment()
    stub.HoldSecurityCode(code_to_hold(replica.keys, payment_id, sealed_for="pay_other"), **API)

    assert opened(stub, token, payment_id).cvv == ""


def test_without_redis_a_card_is_opened_without_a_code_and_none_is_held(
    stub: TokenizationServiceStub, replica: Replica, token: str
) -> None:
    replica.service._codes = HeldCodes(redis.Redis.from_url("redis://127.0.0.1:1", retry=None))

    assert opened(stub, token, a_payment()).number == NUMBER
    held = code_to_hold(replica.keys, "pay_1")
    assert refused(lambda: stub.HoldSecurityCode(held, **API)) is grpc.StatusCode.UNAVAILABLE


def test_without_dynamodb_the_vault_says_so(
    stub: TokenizationServiceStub, replica: Replica, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.tokenization.store.TOKENS", "no-such-table")

    assert refused(lambda: opened(stub, token, a_payment())) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("token", "merchant"),
    [("", "mer_other"), ("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", "mer_demo")],
    ids=["another merchant's", "nobody's"],
)
def test_a_token_that_the_merchant_does_not_have_is_not_found(
    stub: TokenizationServiceStub, replica: Replica, token: str, merchant: str
) -> None:
    token = token or replica.vault.keep("mer_demo", a_card()).token

    assert refused(lambda: opened(stub, token, a_payment(), merchant)) is grpc.StatusCode.NOT_FOUND


def test_a_row_put_in_anothers_place_does_not_open(stub: TokenizationServiceStub, replica: Replica, token: str) -> None:
    mine = replica.vault.keep("mer_demo", a_card("5555555555554444")).token
    row = replica.dynamodb.get_item(TableName=TOKENS, Key={"token": {"S": token}})["Item"]

    replica.dynamodb.put_item(TableName=TOKENS, Item=row | {"token": {"S": mine}})
    assert refused(lambda: opened(stub, mine, a_payment())) is grpc.StatusCode.FAILED_PRECONDITION

    replica.dynamodb.put_item(TableName=TOKENS, Item=row | {"merchant_id": {"S": "mer_other"}})
    thief = refused(lambda: opened(stub, token, a_payment(), "mer_other"))
    replica.dynamodb.put_item(TableName=TOKENS, Item=row)
    assert thief is grpc.StatusCode.FAILED_PRECONDITION
    replica.dynamodb.delete_item(TableName=TOKENS, Key={"token": {"S": mine}})


@pytest.mark.parametrize("caller", ["payments", "orchestrator", "edge", "operator", ""])
def test_only_the_card_router_opens_cards(stub: TokenizationServiceStub, token: str, caller: str) -> None:
    request = DetokenizeRequest(token=token, merchant_id="mer_demo", payment_id="pay_1")

    assert refused(lambda: stub.Detokenize(request, **as_caller(caller))) is grpc.StatusCode.PERMISSION_DENIED


def test_nothing_that_is_logged_holds_a_number_or_a_code(
    stub: TokenizationServiceStub, replica: Replica, token: str
) -> None:
    payment_id = a_payment()
    with capture_logs() as logs:
        stub.HoldSecurityCode(code_to_hold(replica.keys, payment_id), **API)
        opened(stub, token, payment_id)
        refused(lambda: opened(stub, token, payment_id, "mer_other"))

    logged = str(logs)
    assert "card opened" in logged
    assert NUMBER not in logged
    assert not re.search(rf"\b{CODE}\b", logged)


@pytest.mark.parametrize(
    "secret", [a_card(), CardSecret(track2=f"{NUMBER}=30122010000000000")], ids=["number", "track"]
)
def test_a_card_is_sealed_anew_without_its_track(
    stub: TokenizationServiceStub, replica: Replica, secret: CardSecret
) -> None:
    sealed = requested(replica.keys, secret, bound_to="mer_demo/T0000001/sale-1").sealed_card

    anew = stub.Reseal(ResealRequest(sealed_card=sealed), **as_caller("terminals")).sealed_card

    assert (anew.bound_to, anew.ciphertext != sealed.ciphertext) == (sealed.bound_to, True)
    inside = replica.keys.opened(anew.key_id, "florin/card", anew.bound_to, anew.ciphertext)
    assert CardSecret.FromString(inside) == a_card()


@pytest.mark.parametrize(
    "change", [{"bound_to": "mer_demo/T0000001/sale-2"}, {"key_id": "seal-nowhere"}, {"ciphertext": b"x" * 99}]
)
def test_what_does_not_open_is_not_sealed_anew(
    stub: TokenizationServiceStub, replica: Replica, change: dict[str, object]
) -> None:
    sealed = requested(replica.keys, a_card(), bound_to="mer_demo/T0000001/sale-1").sealed_card
    for name, value in change.items():
        setattr(sealed, name, value)

    code = refused(lambda: stub.Reseal(ResealRequest(sealed_card=sealed), **as_caller("terminals")))

    assert code is grpc.StatusCode.INVALID_ARGUMENT


def test_nobody_else_has_cards_sealed_anew(stub: TokenizationServiceStub, replica: Replica) -> None:
    sealed = requested(replica.keys, a_card()).sealed_card

    assert refused(lambda: stub.Reseal(ResealRequest(sealed_card=sealed), **API)) is grpc.StatusCode.PERMISSION_DENIED
