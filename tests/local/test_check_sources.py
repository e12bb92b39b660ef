"""What `florin check` reads in the journals of the world outside."""

import json
from pathlib import Path
from typing import Any

from mesh.local.check.facts import Key
from mesh.local.check.sources import orders_of, postings_of

AT = "2026-11-24T12:00:00.000000+00:00"


def message(mti: str, stan: str, held: int = 0, booked: int = 0, **more: Any) -> dict[str, Any]:
    line = {"at": AT, "kind": "message", "mti": mti, "stan": stan, "rrn": "632812000001", "transmitted": "1124120000"}
    return line | {"original": "", "held_minor": held, "booked_minor": booked} | more


def order(tr: str, status: str) -> dict[str, Any]:
    row = {"merchant_order_ref": tr, "status": status, "amount": "499.00", "created_at": AT}
    return {"at": AT, "kind": "order", "order": row}


def refund(reference: str, status: str, amount: str) -> dict[str, Any]:
    row = {"refund_ref": reference, "merchant_order_ref": "tr1", "status": status, "amount": amount}
    return {"at": AT, "kind": "refund", "refund": row}


def journal(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_reversal_is_about_its_original(tmp_path: Path) -> None:
    original = "0100" + "000001" + "1124115959" + "0" * 22
    path = journal(
        tmp_path,
        message("0100", "000001", held=49900, transmitted="1124115959"),
        message("0420", "000002", held=-29900, original=original, kept_minor=20000),
        message("0421", "000002", original=original, kept_minor=20000),
        message("0420", "000003", held=-20000, original=original, kept_minor=0),
        {"at": AT, "kind": "rejected", "note": "no message"},
    )

    first, part, whole = postings_of("meridian", path)

    assert {first.key, part.key, whole.key} == {Key("meridian", "000001", "1124115959")}
    assert [one.is_reversal for one in (first, part, whole)] == [False, True, True]
    assert (part.is_whole, whole.is_whole) == (False, True)
    assert [one.held_minor for one in (first, part, whole)] == [49900, -29900, -20000]


def test_the_last_line_of_an_order_and_of_a_refund_counts(tmp_path: Path) -> None:
    path = journal(
        tmp_path,
        order("tr1", "CREATED"),
        order("tr2", "CREATED"),
        order("tr1", "SUCCESS"),
        refund("ref_1", "PENDING", "1.10"),
        refund("ref_2", "FAILED", "2.00"),
        refund("ref_1", "SUCCESS", "1.10"),
        refund("ref_3", "SUCCESS", "100.03"),
    )

    orders = {one.tr: one for one in orders_of(path)}

    assert (orders["tr1"].status, orders["tr1"].amount_minor, orders["tr1"].refunded_minor) == ("SUCCESS", 49900, 10113)
    assert (orders["tr2"].status, orders["tr2"].refunded_minor) == ("CREATED", 0)


def test_without_a_journal_nothing_has_moved(tmp_path: Path) -> None:
    assert list(postings_of("meridian", tmp_path / "none.jsonl")) == []
