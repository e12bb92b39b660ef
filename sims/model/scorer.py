"""Scores and their reasons."""

from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from sims.model.artefact import load
from sims.model.features import NAMES, Features

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Prediction:
    """score: the probability of fraud, 0 to 1. reasons: the features that raised it most, the strongest first."""

    score: float
    reasons: tuple[str, ...]
    model_version: str


class Scorer:
    """A loaded model."""

    def __init__(self, folder: Path) -> None:
        self._booster, self.card = load(folder)

    def score(self, instances: tuple[Features, ...]) -> list[Prediction]:
        """Return a prediction for each."""
        rows = np.array([one.row() for one in instances], dtype=np.float64)
        # Each row: what every feature adds (Shapley values), then the base; they sum up to the trees' raw score.
        contributions = np.asarray(self._booster.predict(rows, pred_contrib=True, num_threads=1))
        return [self._prediction(row) for row in contributions]

    def _prediction(self, contributions: np.ndarray[Any, np.dtype[np.float64]]) -> Prediction:
        calibration = self.card.calibration
        raw = float(contributions.sum())
        score = 1 / (1 + exp(-(calibration.slope * raw + calibration.intercept)))
        ranked = sorted(zip(contributions.tolist(), NAMES, strict=False), reverse=True)
        reasons = tuple(name for added, name in ranked[:_MOST_REASONS] if added > 0)
        return Prediction(score, reasons, self.card.version)
