"""`python -m sims`: prints the tables of outcomes, in Markdown."""

import sys

from sims.acquirer.outcomes import Table

TABLES = {"acquirer": Table.load().markdown}

if __name__ == "__main__":
    sys.stdout.write("\n\n".join(table() for table in TABLES.values()) + "\n")
