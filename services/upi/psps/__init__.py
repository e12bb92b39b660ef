"""The PSPs that Florin can work with, one file of data each."""

from collections.abc import Mapping

from services.upi.psps.dialect import Dialect
from services.upi.psps.saltpay import SALTPAY
from services.upi.psps.simpsp import SIMPSP

PSPS: Mapping[str, Dialect] = {psp.name: psp for psp in (SIMPSP, SALTPAY)}
