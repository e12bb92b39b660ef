"""The card security code in DE48: sub-elements of tag (2 digits), length (2 digits) and value; the code has tag 92."""

SECURITY_CODE_TAG = "92"


class SubElementError(ValueError):
    """DE48 is not a row of sub-elements."""


def security_code(additional_data: str) -> str:
    """Return the code that DE48 carries, "" when it carries none; SubElementError when it cannot be read."""
    rest = additional_data
    while rest:
        head, body = rest[:4], rest[4:]
        if len(head) < 4 or not head.isdigit() or len(body) < int(head[2:]):  # noqa: PLR2004 - tag and length
            raise SubElementError("DE48 is not a row of tag, length and value")
        length = int(head[2:])
        if head[:2] == SECURITY_CODE_TAG:
            return body[:length]
        rest = body[length:]
    return ""
