"""QR codes: public samples, any payment there and back, and pictures that a decoder reads."""

import io
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
import zxingcpp
from hypothesis import given, settings
from PIL import Image

from services.upi.link import Charge, shown
from services.upi.qr import PNG, SVG, VPA_LENGTH_MOST, checksum, objects, picture, qr_payload, sealed
from tests.upi.emv import Code, MalformedError, read
from tests.upi.test_link import CHARGE, charges

EMVCO = (
    "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802CN5914BEST TRANSPORT"
    "6007BEIJING64200002ZH0104最佳运输0202北京540523.7253031565502016233030412340603***0708A60086670902ME91320016A011"
    "2233449988770708123456786304A13A"
)
CAMBODIA = (
    "00020101021252044131153137210116372101160123456789ABCDE6010Phnom Penh5913Merchant Shop5802KH540510.00530384062250"
    "1081234567802090124444446304A0BA"
)
RAZORPAY = (
    "000201010212021643926300000000850415540461000000008061661005900000000890827YESB0CMSNOC222333004882700126430010A00"
    "00005240117razorpaybqr@icici02041.1027350010A0000005240117RZPGT8ildsFTgS5Sp52047531530335654041.105802IN5906zxcbm"
    "n6005Delhi610611008562300514GT8ildsFTgS5Sp070838R004506304B6A9"
)
BHARAT = (
    "00020101021226340010A0000005240116shop@examplebank27350010A0000005240117ORD20261124000001520454115303356540649"
    "9.005802IN5913EXAMPLE STORE6009BENGALURU610656000162240108INV-10010708TERM000163042115"
)
CHECKSUMS = [
    ("123456789", "29B1"),
    ("a", "9D77"),
    ("abcdefghij", "4213"),
    ("The days of the digital watch are numbered.  -Tom Stoppard", "5DAE"),
    ("C is as portable as Stonehedge!!", "A30C"),
    ("How can you write a big system without C++?  -Paul Glick", "CEEA"),
]


@pytest.mark.parametrize(("text", "crc"), CHECKSUMS)
def test_published_checksums(text: str, crc: str) -> None:
    assert checksum(text) == crc


@pytest.mark.parametrize("sample", [EMVCO, CAMBODIA, RAZORPAY, BHARAT], ids=["emvco", "cambodia", "razorpay", "bharat"])
def test_public_samples_have_our_checksum_and_lengths(sample: str) -> None:
    """Taken apart by the reader and put together by the writer, a sample is itself again, letter for letter."""
    code = read(sample)

    assert checksum(sample[:-4]) == sample[-4:]
    assert sealed([pair for pair in code.objects.items() if pair[0] != "63"]) == sample
    for template in ("26", "27", "62", "64"):
        if template in code.objects:
            assert objects(code.inside(template).items()) == code.objects[template]


def test_lengths_count_characters() -> None:
    assert read(EMVCO).inside("64") == {"00": "ZH", "01": "最佳运输", "02": "北京"}
    assert objects([("59", "चाय")]) == "5903चाय"


def test_a_payment_is_the_bharat_sample() -> None:
    """Without what Florin does not know of a merchant (61, 62), it is the sample, letter for letter."""
    charge = replace(CHARGE, payee_name="EXAMPLE STORE", payee_city="BENGALURU", tr="ORD20261124000001")
    pairs = [pair for pair in read(BHARAT).objects.items() if pair[0] not in {"61", "62", "63"}]

    assert qr_payload(charge) == sealed(pairs)


@given(charge=charges)
def test_any_payment_reads_back(charge: Charge) -> None:
    code = read(qr_payload(charge))

    assert code.inside("26") == {"00": "A000000524", "01": charge.payee_vpa}
    assert code.inside("27") == {"00": "A000000524", "01": charge.tr}
    assert Decimal(code.objects["54"]) * 100 == charge.amount_minor
    assert (code.objects["01"], code.objects["53"], code.objects["58"]) == ("12", "356", "IN")
    assert code.objects["52"] == charge.mcc
    assert code.objects["59"] in {shown(charge.payee_name, 25), charge.payee_vpa[:25]}
    assert code.objects["60"] in {shown(charge.payee_city, 15), "India"}


def test_an_address_that_does_not_fit_is_refused() -> None:
    longest = "a" * (VPA_LENGTH_MOST - 4) + "@upi"

    assert read(qr_payload(replace(CHARGE, payee_vpa=longest))).inside("26")["01"] == longest
    with pytest.raises(ValueError, match="object 26"):
        qr_payload(replace(CHARGE, payee_vpa="a" + longest))


@pytest.mark.parametrize("wrong", [BHARAT[:-1] + "6", BHARAT[:-8], BHARAT[4:], BHARAT.replace("499.00", "499.01"), ""])
def test_the_reader_refuses_what_is_wrong(wrong: str) -> None:
    with pytest.raises(MalformedError):
        read(wrong)


@pytest.mark.parametrize("payee_name", ["Example Store", "किताब की दुकान", "Café ☕ 🙂"])
def test_a_decoder_reads_the_picture(payee_name: str) -> None:
    payload = qr_payload(replace(CHARGE, payee_name=payee_name))

    assert decoded(picture(payload, PNG)) == payload


@given(charge=charges)
@settings(max_examples=20, deadline=None)
def test_a_decoder_reads_any_picture(charge: Charge) -> None:
    payload = qr_payload(charge)

    assert Code(read(decoded(picture(payload, PNG))).objects) == read(payload)


def test_a_vector_picture_is_well_formed() -> None:
    payload = qr_payload(CHARGE)

    root = ET.fromstring(picture(payload, SVG))  # noqa: S314 - our own picture

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["width"] == root.attrib["height"] == str(Image.open(io.BytesIO(picture(payload, PNG))).width)


def decoded(png: bytes) -> str:
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return str(found.text)
