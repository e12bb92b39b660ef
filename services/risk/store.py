"""What the risk engine remembers for good: one decision a payment."""

from dataclasses import asdict
from typing import Any

from florin.risk.v1.risk_service_pb2 import ScoreSource, Verdict
from psycopg.types.json import Jsonb

from services.chassis import Connection, NotFound
from services.risk.domain import Decision, Hit
from services.risk.rules import Outcome

_KEEP = """
    insert into decision (payment_id, verdict, rules, score, score_source, reasons, model_version, rules_version,
                          features, reviewer, screened_at, decided_at)
    values (%(payment_id)s, %(verdict)s, %(rules)s, %(score)s, %(score_source)s, %(reasons)s, %(model_version)s,
            %(rules_version)s, %(features)s, %(reviewer)s, %(decided_at)s, %(decided_at)s)
    on conflict (payment_id) do nothing returning payment_id
"""
_FIND = """
    select payment_id, verdict, rules, score, score_source, reasons, model_version, rules_version, features, reviewer,
           decided_at
    from decision where payment_id = %s
"""
_SETTLE = """
    update decision set verdict = %(verdict)s, rules = %(rules)s, reviewer = %(reviewer)s, decided_at = %(decided_at)s
    where payment_id = %(payment_id)s
"""


def keep(connection: Connection, decision: Decision) -> bool:
    """Keep a payment's first decision; false when there is one already, which stands."""
    return connection.execute(_KEEP, _row(decision)).fetchone() is not None


def settle(connection: Connection, decision: Decision) -> None:
    """Keep what a review made of a decision."""
    connection.execute(_SETTLE, _row(decision))


def find(connection: Connection, payment_id: str, *, lock: bool = False) -> Decision:
    """Return the decision about a payment, locked until the transaction ends if wished. Raises NotFound."""
    row = connection.execute(_FIND + ("for update" if lock else ""), (payment_id,)).fetchone()
    if row is None:
        raise NotFound("DECISION_NOT_FOUND", "nothing was decided about this payment")
    return _decision(row)


def _row(decision: Decision) -> dict[str, Any]:
    return {
        **{name: value for name, value in asdict(decision).items() if name != "hits"},
        "verdict": Verdict.Name(decision.verdict),
        "rules": Jsonb([asdict(hit) for hit in decision.hits]),
        "score_source": ScoreSource.Name(decision.score_source),
        "reasons": list(decision.reasons),
        "features": Jsonb(decision.features),
    }


def _decision(row: dict[str, Any]) -> Decision:
    hits = tuple(Hit(hit["rule"], Outcome(hit["outcome"])) for hit in row.pop("rules"))
    return Decision(
        **row
        | {
            "verdict": Verdict.Value(row["verdict"]),
            "score_source": ScoreSource.Value(row["score_source"]),
            "reasons": tuple(row["reasons"]),
        },
        hits=hits,
    )
