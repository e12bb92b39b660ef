"""What a terminal sends, and payments as the API shows them."""

from florin.common.v1 import instrument_pb2 as instruments
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_service_pb2 as payments
from florin.terminals.v1 import terminal_service_pb2 as api

from services.terminals.domain import Key, Record
from tests.kit.time import NOON

PAYMENT_ID = "pay_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
KEY = Key("mer_demo", "T0000001", "sale-1")
AMOUNT = Money(amount_minor=49900, currency="INR")

# A chip's data as it goes with an authorization of 499.00 INR.
OBJECTS = {
    "82": "1980",
    "84": "A0000000031010",
    "95": "0000008000",
    "9A": "261124",
    "9C": "00",
    "5F2A": "0356",
    "5F34": "01",
    "9F02": "000000049900",
    "9F03": "000000000000",
    "9F10": "06010A03A0A802",
    "9F1A": "0356",
    "9F26": "8E19ED4BCA5C670A",
    "9F27": "80",
    "9F33": "E0F8C8",
    "9F34": "410302",
    "9F36": "005E",
    "9F37": "D91A2E33",
}


def tlv(objects: dict[str, str]) -> bytes:
    return b"".join(bytes.fromhex(f"{tag}{len(value) // 2:02X}{value}") for tag, value in objects.items())


def a_card(emv_data: bytes = tlv(OBJECTS), mode: int = instruments.CARD_ENTRY_MODE_CHIP) -> api.PresentedCard:
    sealed = instruments.SealedCard(key_id="seal-1", ciphertext=b"sealed")
    return api.PresentedCard(sealed_card=sealed, entry_mode=mode, emv_data=emv_data)  # type: ignore[arg-type]


def a_sale(reference: str = "sale-1", **changes: object) -> api.SaleRequest:
    request = {"reference": reference, "amount": AMOUNT, "card": a_card()} | changes
    return api.SaleRequest(**request)  # type: ignore[arg-type]


def a_payment(status: int = payments.PAYMENT_STATUS_PROCESSING, **more: object) -> payments.Payment:
    payment = payments.Payment(
        payment_id=PAYMENT_ID,
        merchant_id="mer_demo",
        reference=KEY.payment_reference,
        amount=AMOUNT,
        status=status,  # type: ignore[arg-type]
        revision=1,
        **more,  # type: ignore[arg-type]
    )
    payment.created_at.FromDatetime(NOON)
    return payment


def a_record(kind: int = api.OPERATION_KIND_SALE, **more: object) -> Record:
    fields = {"amount_minor": 49900, "currency": "INR", "deadline_at": NOON, "created_at": NOON} | more
    return Record(key=KEY, kind=kind, digest=b"d", **fields)  # type: ignore[arg-type]
