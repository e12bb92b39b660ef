"""The risk engine's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import Chassis, Parts, Settings, run
from services.risk.handlers import RiskHandlers
from services.risk.outside import counters, model
from services.risk.rulefile import load_bins, load_rules
from services.risk.service import RiskService

HERE = Path(__file__).parent


class RiskSettings(Settings):
    """What the risk engine needs to know beyond the chassis."""

    rules: Path = HERE / "rules.yaml"
    """The rule file."""
    bins: Path = HERE / "bins.yaml"
    """In which country cards were issued."""
    model_endpoint: str = "florin-risk"
    """The name of the model's SageMaker endpoint."""
    model_budget_ms: int = 50
    """How long the model may take before the rules decide alone."""
    counters_budget_ms: int = 50
    """How long Redis may take before velocity is judged as each rule's fail_open says."""
    batch: int = 16
    in_flight: int = 32
    """More at once would only wait for each other until the model's budget is over."""


@asynccontextmanager
async def compose(chassis: Chassis[RiskSettings]) -> AsyncIterator[Parts]:
    """Rules and BINs are read first: a file with a mistake ends the process before it hears anything."""
    settings = chassis.settings
    book, bins = load_rules(settings.rules), load_bins(settings.bins)
    async with (
        counters(settings.redis, settings.counters_budget_ms) as counting,
        model(settings.model_endpoint, settings.model_budget_ms) as scoring,
    ):
        yield Parts(
            servicers={"florin.risk.v1.RiskService": RiskService(chassis.database)},
            hearers=[RiskHandlers(book, bins, counting, scoring, chassis.secret("vpa.key"))],
        )


if __name__ == "__main__":
    run("risk", RiskSettings, compose)
