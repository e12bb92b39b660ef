"""`make faults`: a campaign of some minutes from a seed that is printed, so that it can be repeated."""

import random
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.campaign import campaign


def main(
    seconds: Annotated[float, typer.Option(help="How long faults go on.")] = 300.0,
    seed: Annotated[int | None, typer.Option(help="Chooses payments and faults; by chance if not given.")] = None,
) -> None:
    """Harm a gateway of its own under load and say what held. Exits with 1 where something did not."""
    chosen = random.randrange(10**6) if seed is None else seed
    typer.echo(f"seed {chosen}")
    folder = Path(tempfile.mkdtemp(prefix="florin-faults-"))
    report = campaign(folder, chosen, seconds, say=typer.echo)
    typer.echo(str(report))
    if report.wrong:
        typer.echo(f"its logs, books and spans are in {folder}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
