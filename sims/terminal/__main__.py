"""`python -m sims.terminal SCRIPT...`: plays scripts against a gateway and says what happened, step by step.

Ends with 0 when everything was as expected, with 1 when something was not, with 2 when a script or a setting is wrong.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from sims.terminal.script import Script, Step, read
from sims.terminal.settings import TerminalSettings
from sims.terminal.terminal import OUTCOME, Result, Terminal

SHIPPED = Path(__file__).with_name("scripts")
AGAIN_S = 0.25
SHOWN = (OUTCOME, "reason", "state", "payment_id", "captured_amount_minor", "released_amount_minor",
         "refunded_amount_minor", "reversal_reason", "reversed", "decline.reason", "rrn", "ready")  # fmt: skip


def missing(expected: dict[str, Any], result: Result) -> list[str]:
    """Return what is not as expected, in words; a list is one of several."""
    wrong = []
    for path, value in expected.items():
        if result.get(path) not in (value if isinstance(value, list) else [value]):
            wrong.append(f"{path} is {result.get(path)!r}, expected {value!r}")
    return wrong


async def play(script: Script, terminal: Terminal) -> bool:
    """Carry a script out and say what happened. Return whether all was as expected."""
    good = True
    for number, step in enumerate(script.steps, start=1):
        began = time.monotonic()
        result = await _performed(step, terminal)
        wrong = missing(step.expect, result)
        took_ms = (time.monotonic() - began) * 1000
        facts = "  ".join(f"{name}={result[name]}" for name in SHOWN if result.get(name) not in (None, "", 0, False))
        reference = getattr(step.what, "reference", "")
        sys.stdout.write(f"{number:>3} {step.name:<9} {reference:<12} {took_ms:>7.0f} ms  {facts}\n")
        sys.stdout.writelines(f"      NOT AS EXPECTED: {words}\n" for words in wrong)
        good = good and not wrong
    return good


async def _performed(step: Step, terminal: Terminal) -> Result:
    """Carry a step out; again and again while it has time to bring what is expected."""
    again = AsyncRetrying(
        retry=retry_if_result(lambda result: bool(missing(step.expect, result))),
        stop=stop_after_delay(step.within_ms / 1000),
        wait=wait_fixed(AGAIN_S),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    result: Result = await again(terminal.perform, step)
    return result


async def _all(scripts: list[tuple[Path, Script]], settings: TerminalSettings) -> int:
    failed = []
    for path, script in scripts:
        sys.stdout.write(f"{path.stem}: {script.shows}\n")
        if not await play(script, Terminal(settings)):
            failed.append(path.stem)
    sys.stdout.write(f"not as expected: {', '.join(failed)}\n" if failed else "all as expected\n")
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Read the scripts, play them, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sims.terminal", description=__doc__)
    names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
    parser.add_argument("scripts", nargs="+", metavar="SCRIPT", help=f"a file, or one that comes along: {names}")
    named = [Path(name) for name in parser.parse_args(arguments).scripts]
    paths = [path if path.suffix else SHIPPED / f"{path}.yaml" for path in named]
    try:
        scripts, settings = [(path, read(path)) for path in paths], TerminalSettings()
    except (OSError, yaml.YAMLError, ValidationError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return asyncio.run(_all(scripts, settings))


if __name__ == "__main__":
    sys.exit(main())
