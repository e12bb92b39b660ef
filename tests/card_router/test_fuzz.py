"""The short form of the fuzzer; `python -m tests.card_router.fuzz SECONDS` runs it for longer."""

from tests.card_router.fuzz import fuzz


def test_twenty_seconds_of_damaged_bytes_find_nothing() -> None:
    seen = fuzz(seconds=20, seed=8583)

    assert all(seen[f"{what} {how}"] for what in ("codec", "framing", "tlv") for how in ("read", "refused")), seen
