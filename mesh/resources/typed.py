"""Messages inside messages: what xDS packs into a google.protobuf.Any, and values in the shapes Envoy wants."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any, Struct, Value

OVERWRITE: Final = core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
IF_ABSENT: Final = core.HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT


def packed(message: betterproto2.Message) -> Any:
    """Return the message in an Any."""
    return Any.pack(message)


def extension(name: str, message: betterproto2.Message) -> core.TypedExtensionConfig:
    """Return an extension's configuration."""
    return core.TypedExtensionConfig(name=name, typed_config=packed(message))


def milliseconds(value_ms: int) -> timedelta:
    """Return a duration."""
    return timedelta(milliseconds=value_ms)


def header(
    name: str, value: str, action: core.HeaderValueOptionHeaderAppendAction = OVERWRITE
) -> core.HeaderValueOption:
    """Return a header to set; Envoy's %FORMATTERS% work in the value."""
    return core.HeaderValueOption(header=core.HeaderValue(key=name, value=value), append_action=action)


def struct(fields: Mapping[str, str]) -> Struct:
    """Return a flat Struct of strings."""
    return Struct(fields={name: Value(string_value=value) for name, value in fields.items()})


def exact(value: str) -> matcher.StringMatcher:
    """Return a matcher of exactly this string."""
    return matcher.StringMatcher(exact=value)


def pipe(path: Path) -> core.Address:
    """Return a Unix socket's address; only this user may connect (0600)."""
    return core.Address(pipe=core.Pipe(path=str(path), mode=0o600))


def tcp(address: str, port: int) -> core.Address:
    """Return a TCP address."""
    return core.Address(socket_address=core.SocketAddress(address=address, port_value=port))
