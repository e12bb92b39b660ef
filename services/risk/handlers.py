"""What the risk engine hears: a payment to judge."""

from collections.abc import Mapping

from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated

from services.chassis import Attempt, Conclusion, Unit, calls_out, log
from services.risk import store
from services.risk.domain import decide, facts_of, features_of
from services.risk.outside import Counters, Model
from services.risk.rules import RuleBook


class RiskHandlers:
    """Judges payments. `bins` maps BINs to countries; `vpa_key` keys the hashes of UPI addresses."""

    def __init__(
        self, book: RuleBook, bins: Mapping[str, str], counters: Counters, model: Model, vpa_key: bytes
    ) -> None:
        self._book = book
        self._bins = bins
        self._counters = counters
        self._model = model
        self._vpa_key = vpa_key

    @calls_out(RiskCheckInitiated)
    async def hear_check(self, fact: RiskCheckInitiated, attempt: Attempt) -> Conclusion:
        """Count the payment, ask the model, decide.

        A resumed attempt is simply made again: counting twice changes no counter, and a score is only asked for.
        """
        facts = facts_of(fact, attempt.started_at, self._bins, self._vpa_key)
        tallies = await self._counters.count(facts)
        score = await self._model.score(facts.payment_id, features_of(facts, tallies))

        def conclude(unit: Unit) -> None:
            decision = decide(self._book, facts, tallies, score, unit.now)
            if store.keep(unit.connection, decision):
                unit.emit(decision.said())
            else:
                log().warning("judged already", payment_id=facts.payment_id)

        return conclude
