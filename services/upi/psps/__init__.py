"""The PSPs that Florin works with, one file of particulars each."""

from collections.abc import Mapping

from services.upi.psps.banyan import BANYAN
from services.upi.psps.order_api import Particulars

PSPS: Mapping[str, Particulars] = {psp.name: psp for psp in (BANYAN,)}
