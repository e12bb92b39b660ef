"""`python -m sims.model.train [folder]`: makes data, trains, measures, writes the artefact.

Split by time: the first three fifths train, the next calibrates, the last measures.
"""

import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from sims.model.artefact import SHIPPED, Calibration, Card, Metrics, digest, save
from sims.model.features import NAMES
from sims.model.synthetic import DAYS, Dataset, generate

SEED = 20261124
ROWS = 200_000
ALERT_RATE = 0.01

_TREES = 80
_NEWTON_STEPS = 20
_PARAMETERS = {
    "objective": "binary",
    "num_leaves": 12,
    "max_depth": 5,
    "learning_rate": 0.08,
    "min_data_in_leaf": 60,
    "lambda_l2": 1.0,
    # More attempts may mean a busy payer, but a strange country never makes a payment safer.
    "monotone_constraints": [int(name == "bin_country_mismatch") for name in NAMES],
    "max_bin": 127,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}

Vector = np.ndarray[Any, np.dtype[np.float64]]


def train(seed: int, rows: int) -> tuple[str, Card]:
    """Return the model's text and its card; the same for the same arguments and library."""
    training, calibrating, measuring = _by_time(generate(seed, rows))
    data = lightgbm.Dataset(training.rows, training.labels, feature_name=list(NAMES), categorical_feature=["mcc"])
    booster = lightgbm.train(_PARAMETERS, data, num_boost_round=_TREES)
    calibration = calibrate(_raw(booster, calibrating), calibrating.labels)
    scores = _probabilities(_raw(booster, measuring), calibration)
    text = booster.model_to_string()
    card = Card(
        version=f"synthetic-{digest(text)[:12]}",
        sha256=digest(text),
        features=NAMES,
        calibration=calibration,
        metrics=measure(scores, measuring),
        data=f"{rows} synthetic payments over {DAYS} days, seed {seed}",
    )
    return text, card


def calibrate(raw: Vector, labels: np.ndarray[Any, Any]) -> Calibration:
    """Return the slope and intercept with the least log loss (Platt), by Newton's steps."""
    inputs = np.column_stack([raw, np.ones(len(raw))])
    weights = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        expected = 1 / (1 + np.exp(-(inputs @ weights)))
        curvature = (inputs * (expected * (1 - expected))[:, None]).T @ inputs
        weights -= np.linalg.solve(curvature, inputs.T @ (expected - labels))
    return Calibration(slope=round(float(weights[0]), 6), intercept=round(float(weights[1]), 6))


def measure(scores: Vector, data: Dataset) -> Metrics:
    """Return how good the scores are."""
    highest_first = np.argsort(-scores, kind="stable")
    frauds = data.labels[highest_first]
    amounts = data.rows[highest_first, NAMES.index("amount_minor")] * frauds
    alerts = round(len(scores) * ALERT_RATE)
    precision = np.cumsum(frauds) / np.arange(1, len(frauds) + 1)
    return Metrics(
        rows=len(scores),
        fraud_rate=round(float(frauds.mean()), 5),
        pr_auc=round(float(precision[frauds == 1].mean()), 4),
        recall_at_1_percent=round(float(frauds[:alerts].sum() / frauds.sum()), 4),
        amount_recall_at_1_percent=round(float(amounts[:alerts].sum() / amounts.sum()), 4),
        calibration_error=round(_calibration_error(scores[highest_first], frauds), 5),
    )


def _calibration_error(scores: Vector, labels: np.ndarray[Any, Any]) -> float:
    groups = zip(np.array_split(scores, 10), np.array_split(labels, 10), strict=True)
    return float(sum(abs(score.mean() - label.mean()) * len(score) for score, label in groups) / len(scores))


def _by_time(data: Dataset) -> tuple[Dataset, Dataset, Dataset]:
    count = len(data.labels)
    cuts = [count * 3 // 5, count * 4 // 5]
    parts = zip(np.split(data.rows, cuts), np.split(data.labels, cuts), strict=True)
    training, calibrating, measuring = (Dataset(rows, labels) for rows, labels in parts)
    return training, calibrating, measuring


def _raw(booster: lightgbm.Booster, data: Dataset) -> Vector:
    return np.asarray(booster.predict(data.rows, raw_score=True, num_threads=1))


def _probabilities(raw: Vector, calibration: Calibration) -> Vector:
    return 1 / (1 + np.exp(-(calibration.slope * raw + calibration.intercept)))


if __name__ == "__main__":
    model, described = train(SEED, ROWS)
    save(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED, model, described)
    sys.stdout.write(described.model_dump_json(indent=2) + "\n")
