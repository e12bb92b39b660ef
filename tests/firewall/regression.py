"""The OWASP Core Rule Set's own regression tests (the YAML of go-ftw), read and asked of an engine in this process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from services.firewall.domain import Request
from services.firewall.engine import Engine

FORM: Final = "application/x-www-form-urlencoded"

# What the rule set's own runs use: every paranoia level, and the limits that some rules are about.
SETUP: Final = """
SecAction "id:900005,phase:1,nolog,pass,t:none,\
    setvar:tx.crs_setup_version=4250,\
    setvar:tx.blocking_paranoia_level=4,\
    setvar:tx.crs_validate_utf8_encoding=1,\
    setvar:tx.arg_name_length=100,\
    setvar:tx.arg_length=400,\
    setvar:tx.total_arg_length=64000,\
    setvar:tx.max_num_args=255,\
    setvar:tx.max_file_size=64100,\
    setvar:tx.combined_file_sizes=65535"
"""


@dataclass(frozen=True)
class Case:
    """One request, the rules that must speak of it and those that must not."""

    name: str
    request: Request
    version: str
    expected: frozenset[int]
    unexpected: frozenset[int]


def cases(folder: Path) -> Iterator[Case]:
    """Yield every case about a request that can be asked of an engine without a web server in front of it."""
    for path in sorted(folder.glob("REQUEST-*/*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for test in content["tests"] if content else ():
            for number, stage in enumerate(test["stages"]):
                name = f"{content['rule_id']}-{test['test_id']}.{number}"
                if case := _case(name, stage["input"], stage["output"]):
                    yield case


def passes(engine: Engine, case: Case) -> bool:
    """Whether an engine says of a case what is expected."""
    spoken = set(engine.inspect(case.request, case.version).rules)
    return case.expected <= spoken and not case.unexpected & spoken


def _case(name: str, asked: dict[str, Any], expected: dict[str, Any]) -> Case | None:
    log = expected.get("log", {})
    if "encoded_request" in asked or not log:
        return None
    body = asked.get("data", "") or ""
    headers = {key.lower(): str(value) for key, value in asked.get("headers", {}).items()}
    if asked.get("autocomplete_headers", True):
        headers = _completed(headers, body)
    request = Request(
        asked.get("method", "GET"), asked.get("uri", "/"), headers, body.encode("utf-8", "surrogateescape")
    )
    wanted, unwanted = log.get("expect_ids", []), log.get("no_expect_ids", [])
    version = asked.get("version", "HTTP/1.1").removeprefix("HTTP/")
    return Case(name, request, version, frozenset(wanted), frozenset(unwanted))


def _completed(headers: dict[str, str], body: str) -> dict[str, str]:
    """Return the headers with those that the suite's own client adds."""
    added = {"connection": "close"}
    if body:
        added |= {"content-type": FORM, "content-length": str(len(body.encode("utf-8", "surrogateescape")))}
    return added | headers
