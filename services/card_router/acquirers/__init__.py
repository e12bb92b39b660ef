"""The acquirers Florin can reach, one file each: a module here that has a `DIALECT` is an acquirer."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from services.card_router.iso8583 import Dialect


def _found() -> Mapping[str, Dialect]:
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    dialects = [module.DIALECT for module in modules if hasattr(module, "DIALECT")]
    by_name = {dialect.name: dialect for dialect in dialects}
    if len(by_name) < len(dialects):
        raise ValueError("two acquirers have the same name")
    return MappingProxyType(by_name)


ACQUIRERS = _found()
"""Acquirer name -> its dialect."""
