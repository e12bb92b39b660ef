"""What an acquirer's answer, or its silence, means. Pure."""

from dataclasses import replace

from florin.common.v1 import decline_pb2
from florin.common.v1.decline_pb2 import Decline

from services.card_router.domain import Account, Exchange, Operation, Result, State
from services.card_router.iso8583 import Advice, Amount, Capability, Dialect, Message, ReversalReason, Verdict
from services.card_router.link import Unknown

DE_AMOUNT = 4
DE_APPROVAL_CODE = 38
DE_RESPONSE_CODE = 39
DE_CURRENCY = 49

ORIGINAL_NOT_FOUND = "25"
DUPLICATE = "94"

_ADVICE = {
    Advice.UNSURE: decline_pb2.RETRY_ADVICE_UNSPECIFIED,
    Advice.NEVER: decline_pb2.RETRY_ADVICE_NEVER,
    Advice.LATER: decline_pb2.RETRY_ADVICE_LATER,
    Advice.FIX_DATA: decline_pb2.RETRY_ADVICE_FIX_DATA,
}
_UNSENT = {
    "no_route": ("No acquirer takes this payment.", decline_pb2.RETRY_ADVICE_LATER),
    "acquirer_unavailable": ("The acquirer cannot be reached.", decline_pb2.RETRY_ADVICE_LATER),
    "card_unavailable": ("The vault does not hand out this card.", decline_pb2.RETRY_ADVICE_UNSPECIFIED),
    "answer_too_late": ("The time to answer was over before an acquirer was asked.", decline_pb2.RETRY_ADVICE_LATER),
    "message_refused": ("The payment cannot be put in the acquirer's terms.", decline_pb2.RETRY_ADVICE_UNSPECIFIED),
}
# What says that an acquirer itself fails: it cannot be reached, or it does not answer.
FAILING = frozenset({"acquirer_unavailable", "acquirer_no_answer"})
_REVERSE_FOR = {
    Unknown.TIMEOUT: ReversalReason.RESPONSE_TOO_LATE,
    Unknown.GARBLED: ReversalReason.INVALID_RESPONSE,
    Unknown.CONNECTION_LOST: ReversalReason.MALFUNCTION,
    Unknown.CLOSED: ReversalReason.MALFUNCTION,
}


def judged(exchange: Exchange, answer: Message, dialect: Dialect) -> Result:
    """Return what an acquirer's answer to an authorization or a purchase means (DE39).

    A partial approval is not what was asked for: it is declined, and what it holds is given back. An answer that does
    not say what became of the request, or approves something else, cannot be relied on: the request is reversed.
    """
    code, approval_code = answer.get(DE_RESPONSE_CODE), answer.get(DE_APPROVAL_CODE)
    meaning = dialect.response(code)
    if meaning.verdict is Verdict.PARTLY_APPROVED:
        return _partial(code, approval_code)
    if meaning.verdict is not Verdict.APPROVED:
        return _declined(code, dialect) if code.strip() else unknown(Unknown.GARBLED)
    if not _approves(exchange, answer):
        return replace(unknown(Unknown.GARBLED), response_code=code, approval_code=approval_code)
    return Result(State.APPROVED, code, approval_code)


def acknowledged(answer: Message, dialect: Dialect, *, is_repeat: bool) -> Result | None:
    """Return what an acquirer's answer to a capture advice means; None when it has to be sent again.

    That a repeat is a duplicate says that the acquirer has had the advice before.
    """
    code, approval_code = answer.get(DE_RESPONSE_CODE), answer.get(DE_APPROVAL_CODE)
    match dialect.response(code).verdict:
        case Verdict.APPROVED:
            return Result(State.APPROVED, code, approval_code)
        case Verdict.PARTLY_APPROVED:
            return _partial(code, approval_code)
        case Verdict.NOT_PROCESSED:
            return None
    if is_repeat and code == DUPLICATE:
        return Result(State.APPROVED, code, approval_code)
    return _declined(code, dialect) if code.strip() else None


def settles(answer: Message, dialect: Dialect) -> bool:
    """Whether an acquirer's answer to a reversal means that it holds nothing any more.

    It never saw the original, or it has seen this reversal before: nothing is left to be given back either.
    """
    code = answer.get(DE_RESPONSE_CODE)
    return dialect.response(code).verdict is Verdict.APPROVED or code in {ORIGINAL_NOT_FOUND, DUPLICATE}


def unsent(reason: str = "acquirer_unavailable") -> Result:
    """Return what it means that surely nothing reached any acquirer; `reason` is one of the table's."""
    message, advice = _UNSENT[reason]
    return Result(State.NOT_SENT, decline=Decline(reason=reason, message=message, advice=advice))


def unknown(reason: Unknown) -> Result:
    """Return what it means that the acquirer may have acted and nobody knows: it is reversed, whatever comes."""
    decline = Decline(
        reason="acquirer_no_answer",
        message="The acquirer gave no answer that counts; whatever it holds is given back.",
        advice=decline_pb2.RETRY_ADVICE_LATER,
    )
    return Result(State.REVERSED, decline=decline, reversal=_REVERSE_FOR[reason])


def capture_refusal(account: Account, amount: Amount, dialect: Dialect) -> Result | None:
    """Return why an amount cannot be captured from what is held; None when it can."""
    if account.original.operation is not Operation.AUTHORIZATION:
        return _refused("nothing_held", "A purchase is taken already.")
    if amount != account.original.amount and Capability.PARTIAL_CAPTURE not in dialect.capabilities:
        partial = amount.amount_minor < account.original.amount.amount_minor
        if partial and amount.currency == account.original.amount.currency:
            return _refused("partial_capture_not_supported", "This acquirer captures the whole amount only.")
    return _out_of_bounds(account, amount, account.held_minor, "A capture takes no more than is held.")


def void_refusal(account: Account, amount: Amount, dialect: Dialect) -> Result | None:
    """Return why what is held cannot be released; None when it can. A void is of all that is still held."""
    if account.held_minor <= 0:
        return _refused("nothing_held", "Nothing is held that a void could release.")
    if amount.amount_minor < account.held_minor:
        return _refused("partial_void_not_supported", "A void releases all that is still held.")
    if account.captured_minor and Capability.PARTIAL_REVERSAL not in dialect.capabilities:
        return _refused("partial_void_not_supported", "This acquirer releases nothing of what was captured in part.")
    return _out_of_bounds(account, amount, account.held_minor, "A void releases no more than is held.")


def refund_refusal(account: Account, amount: Amount, dialect: Dialect) -> Result | None:
    """Return why an amount cannot be given back of what was taken; None when it can."""
    if Capability.REFUND not in dialect.capabilities:
        return _refused("refund_not_supported", "This acquirer gives nothing back.")
    return _out_of_bounds(account, amount, account.refundable_minor, "A refund gives back no more than was taken.")


def _out_of_bounds(account: Account, amount: Amount, most_minor: int, sentence: str) -> Result | None:
    if amount.currency != account.original.amount.currency:
        return _refused("currency_mismatch", "It has to be in the currency of its payment.")
    if account.busy:
        return _refused("operation_in_progress", "Something else about this payment is under way.", Advice.LATER)
    if amount.amount_minor > most_minor:
        return _refused("amount_too_large", sentence)
    return None


def _approves(exchange: Exchange, answer: Message) -> bool:
    """Whether an approval is of what was asked for: its amount, and a code to capture it under if that is to come."""
    asked = exchange.amount.fields()
    same = all(answer[number] == asked[number] for number in (DE_AMOUNT, DE_CURRENCY) if number in answer)
    return same and bool(exchange.operation is not Operation.AUTHORIZATION or answer.get(DE_APPROVAL_CODE).strip())


def _declined(code: str, dialect: Dialect) -> Result:
    meaning = dialect.response(code)
    decline = Decline(reason=meaning.reason, network_code=code, message=meaning.message, advice=_ADVICE[meaning.advice])
    return Result(State.DECLINED, code, decline=decline)


def _partial(code: str, approval_code: str) -> Result:
    decline = Decline(reason="partial_approval", network_code=code, message="Only a part was approved.")
    reversal = ReversalReason.CUSTOMER_CANCELLATION
    return Result(State.DECLINED, code, approval_code, decline=decline, reversal=reversal)


def _refused(reason: str, message: str, advice: Advice = Advice.FIX_DATA) -> Result:
    return Result(State.DECLINED, decline=Decline(reason=reason, message=message, advice=_ADVICE[advice]))
