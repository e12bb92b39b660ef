"""What a dialect asks of values: character classes, dates, the parts of a value, and what each type must carry."""

import re
from collections.abc import Callable, Mapping
from functools import cache

from services.card_router.iso8583.dialect import Dialect
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.message import Message

NOT_DEFINED = "not a data element of this dialect"

Check = Callable[[str], object]

_MTI_DIGITS = 4


def check(message: Message, dialect: Dialect) -> None:
    """Raise MessageError for the first flaw, its offset inside the value."""
    _check_type(message.mti)
    checks = _checks(dialect)
    for number, value in message.fields.items():
        surely_fits = checks.get(number)
        if surely_fits is None:
            raise MessageError(str(number), 0, NOT_DEFINED)
        # Most values pass one regular expression; only of the others it has to be told where and why not.
        if not surely_fits(value):
            _check_closely(number, value, dialect)
    _check_rules(message, dialect)


@cache
def _checks(dialect: Dialect) -> Mapping[int, Check]:
    """Return, by data element, what is true of a value that surely has no flaw."""
    return {number: _typical(number, dialect) for number in dialect.elements}


def _typical(number: int, dialect: Dialect) -> Check:
    structure = dialect.structures.get(number)
    typical = dialect.elements[number].format.typical if structure is None else structure.typical
    return re.compile(typical).fullmatch if typical is not None else lambda _: False


def _check_closely(number: int, value: str, dialect: Dialect) -> None:
    flaw = dialect.elements[number].format.flaw(value)
    if flaw is None and number in dialect.structures:
        flaw = dialect.structures[number].flaw(value)
    if flaw:
        raise MessageError(str(number), *flaw)


@cache
def _check_type(mti: str) -> None:
    """Version 0 (1987), a class from 1 to 8, a function and an origin (ISO 8583:1987, 4.1)."""
    if len(mti) != _MTI_DIGITS:
        raise MessageError("mti", 0, "not four digits")
    for position, (digit, allowed) in enumerate(zip(mti, ("0", "12345678", "01234", "012345"), strict=True)):
        if digit not in allowed:
            raise MessageError("mti", position, "not a type of ISO 8583:1987")


def _check_rules(message: Message, dialect: Dialect) -> None:
    if not dialect.required:
        return
    required = dialect.required.get(message.mti)
    if required is None:
        raise MessageError("mti", 0, "not a type of this dialect")
    if all(map(message.fields.get, required)):
        return
    missing = min(number for number in required if not message.get(number))
    raise MessageError(str(missing), 0, "required in this type of message, and missing")
