"""upi://pay links: the samples of public documents, and any payment there and back."""

import re
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.upi.link import Charge, intent_link, reference, rupees, shown, transaction_id
from tests.upi.examples import PAYMENT_ID, TR

NPCI_SAMPLE = (
    "upi://pay?pa=nadeem@npci&pn=nadeem%20chinna&mc=0000&tid=cxnkjcnkjdfdvjndkjfvn&tr=4894398cndhcd23"
    "&tn=Pay%20to%20mystar%20store&am=10&mam=null&cu=INR&url=https://mystar.com/orderid=9298yw89e8973e87389e78923ue892"
)
JUSPAY_SAMPLE = (
    "upi://pay?tr=202101345671229366&tid=121313202101345671229366&pa=juspay@axisbank&mc=1234&pn=Merchant%20Inc"
    "&am=1.00&cu=INR&tn=Pay%20for%20merchant"
)
CHARGE = Charge(
    payee_vpa="shop@examplebank",
    payee_name="Example Store",
    payee_city="Bengaluru",
    mcc="5411",
    tr=TR,
    tid=transaction_id("SIM", PAYMENT_ID),
    amount_minor=49900,
    note="Order 7",
)

texts = st.text(max_size=120)
amounts = st.integers(1, 999_999_999_999)
charges = st.builds(
    Charge,
    payee_vpa=st.from_regex(r"[A-Za-z0-9._-]{2,40}@[a-z][a-z0-9]{1,20}", fullmatch=True),
    payee_name=texts,
    payee_city=texts,
    mcc=st.from_regex(r"[0-9]{4}", fullmatch=True),
    tr=st.from_regex(r"[A-Z0-9]{4,35}", fullmatch=True),
    tid=st.just(CHARGE.tid),
    amount_minor=amounts,
    note=texts,
)


def values(link: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(link).query, keep_blank_values=True, strict_parsing=True))


def test_a_link_as_it_is_read() -> None:
    assert intent_link(CHARGE) == (
        "upi://pay?pa=shop@examplebank&pn=Example%20Store&mc=5411"
        f"&tr=PAY01JDEVENVQ7Q0V9Y2K3M4N5P6R&tid={CHARGE.tid}&am=499.00&cu=INR&tn=Order%207&mode=04&purpose=00"
    )


@pytest.mark.parametrize("sample", [NPCI_SAMPLE, JUSPAY_SAMPLE])
def test_public_samples_are_written_alike(sample: str) -> None:
    """What a sample says, our link says in the same letters: the same keys, encoded the same way."""
    given_values = values(sample)
    charge = replace(
        CHARGE,
        payee_vpa=given_values["pa"],
        payee_name=given_values["pn"],
        mcc=given_values["mc"],
        tr=given_values["tr"],
        tid=given_values["tid"],
        amount_minor=int(Decimal(given_values["am"]) * 100),
        note=given_values["tn"],
    )

    ours = set(intent_link(charge).removeprefix("upi://pay?").split("&"))
    theirs = set(sample.removeprefix("upi://pay?").replace("am=10&", "am=10.00&").split("&"))

    assert ours - theirs == {"mode=04", "purpose=00"}
    assert {pair.split("=")[0] for pair in theirs - ours} <= {"mam", "url"}


@given(charge=charges)
def test_any_link_reads_back(charge: Charge) -> None:
    link = intent_link(charge)

    read = values(link)
    assert re.fullmatch(r"upi://pay\?[A-Za-z0-9._~@%=&-]+", link)
    assert (read["pa"], read["tr"], read["tid"]) == (charge.payee_vpa, charge.tr, charge.tid)
    assert Decimal(read["am"]) * 100 == charge.amount_minor
    assert re.fullmatch(r"\d+\.\d\d", read["am"])
    assert read["pn"] in {shown(charge.payee_name, 99), charge.payee_vpa}
    assert read["pn"]
    assert all(len(found) == 1 for found in parse_qs(urlsplit(link).query).values())


@given(minor=amounts)
def test_rupees_are_exact(minor: int) -> None:
    assert Decimal(rupees(minor)) == Decimal(minor) / 100


@pytest.mark.parametrize(
    ("minor", "text"), [(1, "0.01"), (100, "1.00"), (49900, "499.00"), (999_999_999_999, "9999999999.99")]
)
def test_rupees_have_two_decimals(minor: int, text: str) -> None:
    assert rupees(minor) == text


def test_references_derive_from_the_payment() -> None:
    assert reference(PAYMENT_ID) == TR
    assert transaction_id("SIM", PAYMENT_ID) == transaction_id("SIM", PAYMENT_ID)
    assert transaction_id("SIM", PAYMENT_ID) != transaction_id("SIM", PAYMENT_ID + "X")
    assert re.fullmatch(r"[A-Za-z0-9]{35}", transaction_id("AXB", PAYMENT_ID))


@pytest.mark.parametrize("payment_id", ["pay", "pay_a-b", "pay_a_b", "pay_é1", "pay_" + "A" * 40])
def test_an_id_that_makes_no_reference_is_refused(payment_id: str) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        reference(payment_id)


@pytest.mark.parametrize(
    ("text", "most", "seen"),
    [
        ("Chai  \n\tCorner", 25, "Chai Corner"),
        ("A\u200bB\x00C", 25, "A B C"),
        ("cafe\u0301", 4, "caf\u00e9"),
        ("\u0915\u093f\u0924\u093e\u092c", 2, "\u0915\u093f"),
        ("\u0915\u093f\u0924\u093e\u092c", 3, "\u0915\u093f"),
        ("\u0915\u093f\u0924\u093e\u092c", 4, "\u0915\u093f\u0924\u093e"),
        ("\u0915\u093f\u0924\u093e\u092c", 1, ""),
        ("  ", 25, ""),
        ("Shop of many words", 8, "Shop of"),
    ],
)
def test_what_is_shown(text: str, most: int, seen: str) -> None:
    assert shown(text, most) == seen


@given(text=texts, most=st.integers(1, 60))
def test_what_is_shown_fits(text: str, most: int) -> None:
    seen = shown(text, most)

    assert len(seen) <= most
    assert seen == shown(seen, most)
    assert seen.isprintable()
