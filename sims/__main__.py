"""`python -m sims`: prints the tables of outcomes, in Markdown."""

import sys

from sims.acquirer.outcomes import Table as Cards
from sims.upi_psp.outcomes import Table as Payers

TABLES = {
    "acquirer": Cards.load().markdown,
    "upi_psp": Payers.load().markdown,
    "upi_psp_refunds": Payers.load().refunds_markdown,
}

if __name__ == "__main__":
    sys.stdout.write("\n\n".join(table() for table in TABLES.values()) + "\n")
