"""How PSPs and Florin prove to each other who speaks: requests dressed, callbacks opened. Compared in constant time.

`HmacSeal` is Razorpay's and Cashfree's way, `SaltedSeal` that of PhonePe's API, version 1.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from services.chassis import InvalidArgument, Unauthenticated

# Wider than clocks differ; a PSP that tries a callback again signs it anew.
TOLERANCE = timedelta(minutes=5)

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dressed:
    """A request as it goes out: its headers, and its JSON body if there is one."""

    headers: Mapping[str, str]
    content: Content | None


class Seal(Protocol):
    """A PSP's way. `key` is its secret for the direction at hand."""

    def dressed(self, path: str, content: Content | None, key: bytes) -> Dressed:
        """Return a request to `path` as this PSP takes it."""

    def opened(self, headers: Mapping[str, str], body: bytes, key: bytes, now: datetime) -> bytes:
        """Return the JSON text within a callback, once its signature holds over the raw bytes.

        `headers` have names in lower case. Raises Unauthenticated, and InvalidArgument for what cannot be opened.
        """


def base64_text(digest: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class HmacSeal:
    """A key in a header; callbacks with HMAC-SHA256 over the raw body, behind a timestamp in ms where there is one.

    With `bytes.hex` and no timestamp it is Razorpay's, with `base64_text` and a timestamp Cashfree's.
    """

    key_header: str
    signature_header: str
    timestamp_header: str = ""
    written: Callable[[bytes], str] = bytes.hex

    def dressed(self, path: str, content: Content | None, key: bytes) -> Dressed:  # noqa: ARG002 - the port's
        """Return the request with the key."""
        return Dressed({self.key_header: key.decode()}, content)

    def opened(self, headers: Mapping[str, str], body: bytes, key: bytes, now: datetime) -> bytes:
        """Return the body as it is. Raises Unauthenticated for a bad signature and for a time that is not about now."""
        timestamp = headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        _check(self.signature(timestamp, body, key), headers.get(self.signature_header, ""))
        if self.timestamp_header and not _about(timestamp, now):
            raise Unauthenticated("CALLBACK_TIMESTAMP_INVALID", "the callback was not signed within the last minutes")
        return body

    def signature(self, timestamp: str, body: bytes, key: bytes) -> str:
        """Return the signature of a body; `timestamp` is empty for PSPs that have none."""
        return self.written(hmac.digest(key, timestamp.encode() + body, "sha256"))


class _Wrapped(BaseModel):
    response: str


@dataclass(frozen=True, slots=True)
class SaltedSeal:
    """Bodies in base64 within JSON; SHA-256 over body, path and a salt, with the salt's index behind it.

    A plain salted hash, no HMAC: what stands before the salt is fixed by the path or checked as JSON afterwards.
    """

    signature_header: str
    index: str
    fixed: Mapping[str, str]

    def dressed(self, path: str, content: Content | None, key: bytes) -> Dressed:
        """Return the request wrapped and signed; one without a body is signed over its path."""
        wrapped = "" if content is None else base64_text(json.dumps(content).encode())
        headers = {self.signature_header: self.signature(wrapped + path, key), **self.fixed}
        return Dressed(headers, None if content is None else {"request": wrapped})

    def opened(self, headers: Mapping[str, str], body: bytes, key: bytes, now: datetime) -> bytes:  # noqa: ARG002 - the port's
        """Return the JSON text in `response`. Raises Unauthenticated and InvalidArgument."""
        try:
            wrapped = _Wrapped.model_validate_json(body).response
        except ValidationError:
            raise Unauthenticated("CALLBACK_SIGNATURE_INVALID", "the callback holds nothing that is signed") from None
        _check(self.signature(wrapped, key), headers.get(self.signature_header, ""))
        try:
            return base64.b64decode(wrapped, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidArgument("CALLBACK_MALFORMED", "the callback cannot be read") from error

    def signature(self, text: str, key: bytes) -> str:
        """Return the header's value for a text."""
        return f"{hashlib.sha256(text.encode() + key).hexdigest()}###{self.index}"


def _check(expected: str, given: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise Unauthenticated("CALLBACK_SIGNATURE_INVALID", "the callback's signature is missing or wrong")


def _about(timestamp_ms: str, now: datetime) -> bool:
    signed_at_ms = int(timestamp_ms) if timestamp_ms.isascii() and timestamp_ms.isdigit() else 0
    return abs(signed_at_ms - now.timestamp() * 1000) <= TOLERANCE / timedelta(milliseconds=1)
