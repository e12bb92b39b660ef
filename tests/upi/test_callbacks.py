"""Callbacks on the real database: repeated, forged, out of order, at the same time, and for the wrong amount."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from florin.upi.v1.upi_service_pb2 import QR_FORMAT_PNG, QR_FORMAT_SVG, QR_FORMAT_UNSPECIFIED, QrFormat
from grpc import StatusCode

from services.chassis import FailedPrecondition, InvalidArgument, NotFound, Refusal, Unauthenticated
from services.upi.domain import Stage
from services.upi.qr import PNG, SVG
from tests.upi.examples import LATE, MERCHANT, RRN, TXN
from tests.upi.psp import a_notice, an_order, signed
from tests.upi.scene import Scene
from tests.upi.test_qr import decoded

pytestmark = pytest.mark.real

UNSIGNED = (Unauthenticated, "CALLBACK_SIGNATURE_INVALID")
PAID = a_notice()
PENDING = a_notice("payment.pending", "01")
DEEMED = a_notice("payment.pending", "RB")
DECLINED = a_notice("payment.failed", "ZA")
EXPIRED = a_notice("payment.expired", "U69", rrn="", upi_txn_id="")


@pytest.fixture(autouse=True)
def psp_says(scene: Scene) -> None:
    scene.script.answers.append(an_order())


@pytest.mark.parametrize(
    ("body", "stage", "told"),
    [
        (PAID, Stage.SUCCEEDED, ["SUCCEEDED"]),
        (DECLINED, Stage.DECLINED, ["DECLINED"]),
        (a_notice("payment.failed", "U28"), Stage.FAILED, ["FAILED"]),
        (EXPIRED, Stage.EXPIRED, ["EXPIRED"]),
        (DEEMED, Stage.DEEMED, ["DEEMED"]),
        (PENDING, Stage.AWAITING_PAYER, []),
        (a_notice("payment.failed", "QQ"), Stage.AWAITING_PAYER, []),
    ],
)
def test_a_callback_moves_the_payment(scene: Scene, body: bytes, stage: Stage, told: list[str]) -> None:
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(body)

    assert (scene.intent().stage, scene.told()) == (stage, told)


def test_the_networks_references_are_kept(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(PAID)

    assert (scene.intent().rrn, scene.intent().upi_txn_id, scene.intent().network_code) == (RRN, TXN, "00")


def test_a_repeat_changes_nothing(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)

    for _ in range(5):
        scene.receive(PAID)

    assert (scene.told(), scene.callbacks()) == (["SUCCEEDED"], ["applied"])


def test_a_repeat_under_another_id_changes_nothing(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(PAID)
    scene.receive(PAID, signed(PAID, "evt_2"))

    assert (scene.told(), scene.callbacks()) == (["SUCCEEDED"], ["applied", "ignored"])


def test_an_old_body_under_a_coming_id_drops_nothing(scene: Scene) -> None:
    """The id is not signed: somebody who replays a body may put any id on it."""
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(PENDING, signed(PENDING, "evt_9"))
    scene.receive(PAID, signed(PAID, "evt_9"))

    assert scene.told() == ["SUCCEEDED"]


def test_repeats_at_the_same_time_count_once(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(scene.receive, PAID) for _ in range(8)]:
            one.result()

    assert (scene.told(), scene.callbacks()) == (["SUCCEEDED"], ["applied"])


@pytest.mark.parametrize("order", list(permutations([PENDING, DEEMED, PAID])), ids=str)
def test_in_any_order_paid_is_paid(scene: Scene, order: tuple[bytes, ...]) -> None:
    scene.given(Stage.AWAITING_PAYER)

    for number, body in enumerate(order):
        scene.receive(body, signed(body, f"evt_{number}"))

    assert scene.intent().stage is Stage.SUCCEEDED
    assert scene.told().count("SUCCEEDED") == 1


def test_a_callback_may_be_quicker_than_the_answer_to_the_order(scene: Scene) -> None:
    scene.given(Stage.CREATED)

    scene.receive(PAID)

    assert scene.told() == ["SUCCEEDED"]


def test_money_that_comes_late_is_not_lost(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(EXPIRED)
    scene.receive(PAID, signed(PAID, "evt_2"))

    assert (scene.told(), scene.intent().stage) == (["EXPIRED", "SUCCEEDED"], Stage.SUCCEEDED)


@pytest.mark.parametrize("first", [DECLINED, a_notice("payment.failed", "U28")])
def test_money_for_a_payment_that_is_over_is_flagged(scene: Scene, first: bytes) -> None:
    scene.given(Stage.AWAITING_PAYER)

    scene.receive(first)
    scene.receive(PAID, signed(PAID, "evt_2"))

    assert scene.callbacks() == ["applied", "contradicts"]
    assert "SUCCEEDED" not in scene.told()


@pytest.mark.parametrize("amount", ["498.99", "499.01", "49900.00", "1.00"])
def test_another_amount_is_not_booked_as_paid(scene: Scene, amount: str) -> None:
    scene.given(Stage.AWAITING_PAYER)
    body = a_notice(amount=amount)

    scene.receive(body)

    assert (scene.intent().stage, scene.told()) == (Stage.AWAITING_PAYER, [])
    assert scene.callbacks() == ["amount_mismatch"]


@pytest.mark.parametrize(
    ("body", "headers", "psp", "refusal"),
    [
        (PAID, {}, "simpsp", UNSIGNED),
        (PAID, signed(PAID, key=b"guess"), "simpsp", UNSIGNED),
        (PAID + b" ", signed(PAID), "simpsp", UNSIGNED),
        (b"{}", {}, "simpsp", UNSIGNED),
        (b"{}", signed(b"{}"), "simpsp", (InvalidArgument, "CALLBACK_MALFORMED")),
        (PAID, signed(PAID), "nobody", (NotFound, "PSP_UNKNOWN")),
    ],
)
def test_what_is_refused_leaves_no_trace(
    scene: Scene, body: bytes, headers: dict[str, str], psp: str, refusal: tuple[type[Refusal], str]
) -> None:
    before = scene.given(Stage.AWAITING_PAYER)

    with pytest.raises(refusal[0]) as refused:
        scene.receive(body, headers, psp)

    assert refused.value.reason == refusal[1]
    assert (scene.intent(), scene.told(), scene.callbacks()) == (before, [], [])


def test_an_order_nobody_knows_is_to_be_told_again(scene: Scene) -> None:
    with pytest.raises(NotFound) as refused:
        scene.receive(PAID)

    assert refused.value.reason == "ORDER_UNKNOWN"
    assert scene.callbacks() == []
    scene.given(Stage.AWAITING_PAYER)
    scene.receive(PAID)
    assert scene.told() == ["SUCCEEDED"]


@pytest.mark.parametrize(
    ("wanted", "media_type"), [(QR_FORMAT_UNSPECIFIED, PNG), (QR_FORMAT_PNG, PNG), (QR_FORMAT_SVG, SVG)]
)
def test_the_picture_is_of_the_payment(scene: Scene, wanted: QrFormat.ValueType, media_type: str) -> None:
    intent = scene.given(Stage.AWAITING_PAYER)

    image = scene.picture(image=wanted)

    assert image.content_type == media_type
    if media_type == PNG:
        assert decoded(image.data) == intent.qr_payload


@pytest.mark.parametrize("stage", [None, Stage.AWAITING_PAYER])
def test_a_merchant_sees_no_picture_of_anothers_payment(scene: Scene, stage: Stage | None) -> None:
    if stage is not None:
        scene.given(stage)

    with pytest.raises(NotFound) as refused:
        scene.picture(merchant=MERCHANT if stage is None else "mer_2")

    assert (refused.value.reason, refused.value.code) == ("PAYMENT_NOT_FOUND", StatusCode.NOT_FOUND)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.AWAITING_PAYER])
def test_what_cannot_be_paid_has_no_picture(scene: Scene, stage: Stage) -> None:
    scene.given(stage)

    with pytest.raises(FailedPrecondition) as refused:
        scene.picture()

    assert refused.value.reason == "PAYMENT_NOT_PAYABLE"


def test_a_picture_ends_with_the_time_to_pay(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)
    scene.at(LATE)

    with pytest.raises(FailedPrecondition):
        scene.picture()


def test_a_collect_request_has_no_picture(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER, qr_payload="", intent_uri="")

    with pytest.raises(FailedPrecondition) as refused:
        scene.picture()

    assert refused.value.reason == "PAYMENT_HAS_NO_QR_CODE"
