"""The PSPs that Florin works with, one file of particulars each."""

from collections.abc import Mapping

from services.upi.psps.order_api import Particulars
from services.upi.psps.simpsp import SIMPSP

PSPS: Mapping[str, Particulars] = {psp.name: psp for psp in (SIMPSP,)}
