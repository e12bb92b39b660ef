"""Response codes: what each means, alone and beside the PSP's own word."""

import pytest
from florin.common.v1.decline_pb2 import RETRY_ADVICE_FIX_DATA, RETRY_ADVICE_LATER, RETRY_ADVICE_NEVER

from services.upi.codes import CODES, Outcome, Said, decline, judged
from tests.kit.text import table

JUDGED = table("""
    said      code  asked      asked-again
    open      -     open       open
    pending   -     pending    pending
    pending   01    pending    pending
    pending   U09   pending    pending
    pending   RB    deemed     deemed
    pending   00    pending    pending
    pending   Z9    pending    pending
    deemed    RB    deemed     deemed
    deemed    -     deemed     deemed
    success   00    succeeded  succeeded
    success   -     succeeded  succeeded
    success   QQ    pending    succeeded
    success   RB    deemed     deemed
    success   Z9    pending    pending
    failure   ZA    declined   declined
    failure   Z9    declined   declined
    failure   U28   failed     failed
    failure   UB    failed     failed
    failure   U69   expired    expired
    failure   96    deemed     failed
    failure   U67   pending    failed
    failure   QQ    pending    failed
    failure   -     pending    failed
    failure   00    pending    pending
    expired   U69   expired    expired
    expired   -     expired    expired
    expired   00    pending    pending
    expired   RB    pending    pending
""")


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: f"{row['said']}-{row['code'] or 'none'}")
def test_word_and_code_together(row: dict[str, str]) -> None:
    said = Said(row["said"])

    assert judged(said, row["code"], confirmed=False) == row["asked"]
    assert judged(said, row["code"], confirmed=True) == row["asked-again"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("confirmed", [True, False])
def test_no_code_makes_a_success_of_a_failure_or_the_reverse(code: str, confirmed: bool) -> None:
    assert judged(Said.FAILURE, code, confirmed=confirmed) is not Outcome.SUCCEEDED
    assert (judged(Said.SUCCESS, code, confirmed=confirmed) is Outcome.SUCCEEDED) == (code == "00")


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_reason_and_a_sentence(code: str) -> None:
    meaning = CODES[code]

    assert meaning.reason.replace("_", "").isalpha()
    assert meaning.reason.islower()
    assert meaning.sentence.endswith(".")


@pytest.mark.parametrize(
    ("outcome", "code", "reason", "advice"),
    [
        (Outcome.DECLINED, "Z9", "insufficient_funds", RETRY_ADVICE_LATER),
        (Outcome.DECLINED, "ZM", "incorrect_pin", RETRY_ADVICE_FIX_DATA),
        (Outcome.DECLINED, "U16", "suspected_fraud", RETRY_ADVICE_NEVER),
        (Outcome.FAILED, "U28", "psp_unavailable", RETRY_ADVICE_LATER),
        (Outcome.EXPIRED, "U69", "expired", RETRY_ADVICE_LATER),
        (Outcome.EXPIRED, "", "expired", RETRY_ADVICE_LATER),
    ],
)
def test_a_decline_is_told(outcome: Outcome, code: str, reason: str, advice: int) -> None:
    told = decline(outcome, code)

    assert (told.reason, told.network_code, told.advice) == (reason, code, advice)


@pytest.mark.parametrize("code", ["QQ", "96", ""])
def test_a_failure_without_a_known_code_says_so(code: str) -> None:
    assert decline(Outcome.FAILED, code).reason == "unknown_response"
    assert decline(Outcome.FAILED, code).network_code == code
