"""The link against the acquirer simulator, a process with a codec of its own, and against that process's own books."""

import asyncio
import signal
from dataclasses import replace
from itertools import product

import pytest

from services.card_router.iso8583 import (
    Amount,
    Card,
    CardPayment,
    Message,
    Original,
    ReversalReason,
    authorization,
    capture_advice,
    purchase,
    repeat,
    reversal_advice,
)
from services.card_router.link import AcquirerLink, Garbled, NotSent, OutcomeUnknown, Unknown
from tests.card_router.pair import eventually
from tests.card_router.samples import DIALECT, PAYMENT, a_trace
from tests.card_router.simulator import Acquirer


def a_payment(pan: str = "4242424242424242", amount_minor: int = 10000, security_code: str = "") -> CardPayment:
    return replace(PAYMENT, card=Card(pan, "2912", security_code), amount=Amount(amount_minor, "INR"))


def an_attempt(amount_minor: int) -> Message:
    return authorization(a_payment(amount_minor=amount_minor), a_trace(), DIALECT)


def reversal_of(request: Message) -> Message:
    payment = a_payment(amount_minor=int(request[4]))
    trace = replace(a_trace(), rrn=request[37])
    return reversal_advice(payment, trace, DIALECT, Original.of(request), ReversalReason.RESPONSE_TOO_LATE)


CARDS = [
    ("4242424242424242", "", "00"),
    ("4000000000009995", "", "51"),
    ("4000000000000101", "123", "00"),
    ("4000000000000101", "124", "N7"),
    ("378282246310005", "1234", "00"),
    ("4242424242424241", "", "14"),
]


async def test_the_host_reads_what_was_meant(link: AcquirerLink, subtests: pytest.Subtests) -> None:
    for (pan, security_code, code), (make, answered) in product(CARDS, ((authorization, "0110"), (purchase, "0210"))):
        with subtests.test(answered, code=code):
            request = make(a_payment(pan, security_code=security_code), a_trace(), DIALECT)
            answer = await link.request(request, timeout_s=5)

            assert (answer.mti, answer[39], answer[37]) == (answered, code, request[37])
            assert bool(answer.get(38)) == (code == "00")


async def test_an_authorization_is_captured_in_part_and_the_rest_reversed(
    acquirer: Acquirer, link: AcquirerLink
) -> None:
    request = an_attempt(10000)
    answer = await link.request(request, timeout_s=5)
    original = replace(Original.of(request), approval_code=answer[38])
    taken = a_payment(amount_minor=4000)
    capture = capture_advice(taken, replace(a_trace(), rrn=request[37]), DIALECT, original)

    assert (await link.request(capture, timeout_s=5))[39] == "00"
    assert (await link.request(repeat(capture), timeout_s=5))[39] == "00"
    assert (acquirer.held_minor, acquirer.booked_minor) == (6000, 4000)

    assert (await link.request(reversal_of(request), timeout_s=5)).mti == "0430"
    assert acquirer.held_minor == 0


OUTCOMES = {
    "approved and silent": (17001, Unknown.TIMEOUT),
    "lost on the way": (17002, Unknown.TIMEOUT),
    "approved too late": (17003, Unknown.TIMEOUT),
    "approved and cut off": (17004, Unknown.CONNECTION_LOST),
    "approved unreadably": (17005, Unknown.TIMEOUT),
    "cut off": (17008, Unknown.CONNECTION_LOST),
}


async def test_an_unknown_outcome_and_its_reversal_leave_nothing_held(
    acquirer: Acquirer, link: AcquirerLink, subtests: pytest.Subtests
) -> None:
    for outcome, (amount_minor, reason) in OUTCOMES.items():
        with subtests.test(outcome):
            request = an_attempt(amount_minor)
            with pytest.raises(OutcomeUnknown) as unknown:
                await link.request(request, timeout_s=5 if reason is Unknown.CONNECTION_LOST else 0.05)
            assert unknown.value.reason is reason
            assert await link.wait_ready(timeout_s=5)

            assert (await link.request(reversal_of(request), timeout_s=5))[39] == "00"
            assert acquirer.held_minor == 0


async def test_a_late_answer_and_a_second_one_are_handed_over(acquirer: Acquirer, link: AcquirerLink) -> None:
    with pytest.raises(OutcomeUnknown):
        await link.request(an_attempt(17003), timeout_s=0.05)
    await eventually(lambda: len(acquirer.unmatched) == 1)
    await link.request(an_attempt(17007), timeout_s=5)
    await eventually(lambda: len(acquirer.unmatched) == 2)

    assert all(isinstance(message, Message) and message[39] == "00" for message in acquirer.unmatched)


async def test_an_unreadable_answer_is_handed_over_as_it_came(acquirer: Acquirer, link: AcquirerLink) -> None:
    with pytest.raises(OutcomeUnknown):
        await link.request(an_attempt(17005), timeout_s=0.1)

    (garbled,) = acquirer.unmatched
    assert isinstance(garbled, Garbled)
    assert (garbled.error.field, garbled.error.offset) == ("bitmap", 4)


async def test_an_advice_that_went_unanswered_counts_once_when_repeated(acquirer: Acquirer, link: AcquirerLink) -> None:
    request = an_attempt(17009)
    await link.request(request, timeout_s=5)
    reversal = reversal_of(request)
    with pytest.raises(OutcomeUnknown):
        await link.request(reversal, timeout_s=0.05)

    assert (await link.request(repeat(reversal), timeout_s=5)).mti == "0430"
    assert acquirer.held_minor == 0


async def test_many_in_flight_at_once(acquirer: Acquirer, link: AcquirerLink) -> None:
    requests = [an_attempt(20000 + number) for number in range(300)]

    answers = await asyncio.gather(*(link.request(request, timeout_s=10) for request in requests))

    assert [answer[11] for answer in answers] == [request[11] for request in requests]
    assert acquirer.held_minor == sum(int(request[4]) for request in requests)


async def test_a_host_that_is_killed_leaves_nothing_held_and_nothing_untold(
    acquirer: Acquirer, link: AcquirerLink
) -> None:
    """What was in flight at the kill is unknown, what comes after is not sent, and reversing the former is enough."""
    answered = [asyncio.create_task(link.request(an_attempt(20000 + n), timeout_s=10)) for n in range(50)]
    silent = [an_attempt(10000 * n + 7001) for n in range(1, 51)]
    asking = [asyncio.create_task(link.request(request, timeout_s=60)) for request in silent]
    approved = await asyncio.gather(*answered)
    await acquirer.end(signal.SIGKILL)
    for task in asking:
        with pytest.raises(OutcomeUnknown, match="connection lost"):
            await task
    with pytest.raises(NotSent):
        await link.request(an_attempt(10000), timeout_s=60)

    await acquirer.start()
    assert await link.wait_ready(timeout_s=20)
    for request in silent:
        assert (await link.request(reversal_of(request), timeout_s=5))[39] == "00"
    assert acquirer.held_minor == sum(int(answer[4]) for answer in approved)
