"""A reader of EMVCo merchant-presented QR texts, written from the specification and not from our writer."""

from dataclasses import dataclass

# Templates: their values are data objects again (EMVCo MPM 3.2: 26 to 51 accounts, 62 additional data, 64 language).
TEMPLATES = {*(f"{number:02d}" for number in range(26, 52)), "62", "64"}


class MalformedError(ValueError):
    """Not a merchant-presented QR text."""


@dataclass(frozen=True)
class Code:
    objects: dict[str, str]

    def inside(self, template: str) -> dict[str, str]:
        return _objects(self.objects[template])


def read(text: str) -> Code:
    """Return what a QR text says. Raises MalformedError for what a payer's app would not accept."""
    objects = _objects(text)
    if list(objects)[:1] != ["00"] or list(objects)[-1:] != ["63"]:
        raise MalformedError("00 comes first and 63 last")
    if crc(text[:-4]) != text[-4:].upper():
        raise MalformedError("the checksum is wrong")
    for template in TEMPLATES & objects.keys():
        _objects(objects[template])
    return Code(objects)


def crc(text: str) -> str:
    """CRC-16/CCITT-FALSE bit by bit, as the catalogue of parametrised CRCs defines it."""
    value = 0xFFFF
    for byte in text.encode():
        value ^= byte << 8
        for _ in range(8):
            value = ((value << 1) ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return f"{value:04X}"


def _objects(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        name, length = text[position : position + 2], text[position + 2 : position + 4]
        if not (name + length).isascii() or not (name + length).isdigit() or len(name + length) != 4:
            raise MalformedError("an id and a length are two digits each")
        value = text[position + 4 : position + 4 + int(length)]
        if len(value) != int(length) or not value or name in found:
            raise MalformedError(f"object {name} is cut short, empty or there twice")
        found[name] = value
        position += 4 + int(length)
    return found
