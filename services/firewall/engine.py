"""ModSecurity in this process. It holds Python's lock while it works, so one request is inspected at a time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from libmodsecurity import ModSecurity, RulesSet, Transaction

from services.firewall.domain import Findings, Request

HERE: Final = Path(__file__).parent
HTTP_2: Final = "2.0"
NOWHERE: Final = ("0.0.0.0", 0)  # noqa: S104 - no rule here asks who or where


class BadRulesError(Exception):
    """Rules cannot be used; where it is a mistake in a file, ModSecurity says where."""


class Engine:
    """The rules, read and ready."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._modsecurity = ModSecurity()
        self._rules = RulesSet()
        # Without this it writes to standard error what it matched.
        self._modsecurity.set_log_callback(_discard)
        for file in files:
            # It answers -1 instead of raising.
            if self._rules.load_from_uri(str(file)) < 0:
                raise BadRulesError(f"{file.name}: {self._rules.get_parser_error()}")

    def inspect(self, request: Request, http_version: str = HTTP_2) -> Findings:
        """Show a request to the rules, until one refuses it or all have seen it."""
        transaction = Transaction(self._modsecurity, self._rules)
        refused = _refused(transaction, request, http_version)
        return Findings(tuple(message.rule_id for message in transaction.get_rule_messages()), refused)


def files(coreruleset: Path) -> list[Path]:
    """Return all files of rules in their order: how the engine works, what holds here, the rules about requests.

    Raises BadRulesError where there are none: an engine without rules lets everything pass.
    """
    rules = sorted(coreruleset.glob("REQUEST-*.conf"))
    if not rules:
        raise BadRulesError(f"there are no rules in {coreruleset}")
    return [HERE / "engine.conf", HERE / "florin.conf", *rules]


def _refused(transaction: Transaction, request: Request, http_version: str) -> bool:
    transaction.process_connection(*NOWHERE, *NOWHERE)
    transaction.process_uri(request.path, request.method, http_version)
    for name, value in request.headers.items():
        transaction.add_request_header(name, value)
    transaction.process_request_headers()
    if _stopped(transaction):
        return True
    if request.body:
        transaction.append_request_body(request.body)
    transaction.process_request_body()
    return _stopped(transaction)


def _stopped(transaction: Transaction) -> bool:
    intervention = transaction.intervention()
    return intervention is not None and intervention.disruptive


def _discard(_line: str) -> None:
    """Keep nothing of ModSecurity's own log, which quotes what it matched."""
