"""Made-up payments with labels, for training. It proves the plumbing, not a skill at fraud: the patterns are ours.

Kinds of honest payments: people's everyday ones, their large ones, rows of very small ones (fares, arcades), and busy
payers' (company cards, machines that test). Kinds of fraud: stolen numbers tried out in small amounts, stolen cards
spent in large ones, people talked into a UPI payment. What sets them apart is the country far more than the speed, so
that speed alone never condemns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.model.features import NAMES

Columns = dict[str, np.ndarray[Any, Any]]
Kind = Callable[[np.random.Generator, int], Columns]

DAYS = 90

_EVERYDAY_MCC = (0, 5411, 5812, 5814, 4111, 4121, 5541, 5912, 4900, 5732, 5944, 7995, 5815)
_EVERYDAY_SHARE = (0.40, 0.14, 0.10, 0.09, 0.07, 0.05, 0.05, 0.03, 0.03, 0.015, 0.01, 0.005, 0.01)


@dataclass(frozen=True, slots=True)
class Dataset:
    """rows: a payment each, columns as in NAMES, in the order of time. labels: 1 for fraud."""

    rows: np.ndarray[Any, np.dtype[np.float64]]
    labels: np.ndarray[Any, np.dtype[np.int64]]


def generate(seed: int, rows: int) -> Dataset:
    """Return that many payments over ninety days, the same for the same seed."""
    rng = np.random.default_rng(seed)
    parts = [
        (kind(rng, round(rows * share)), label)
        for kind, share, label in (
            (_people, 0.862, 0),
            (_large_purchases, 0.040, 0),
            (_small_payments_in_a_row, 0.030, 0),
            (_busy_payers, 0.060, 0),
            (_numbers_tried_out, 0.004, 1),
            (_stolen_cards, 0.003, 1),
            (_people_talked_into_it, 0.001, 1),
        )
    ]
    matrix = np.vstack([np.column_stack([columns[name] for name in NAMES]) for columns, _ in parts]).astype(np.float64)
    labels = np.concatenate([np.full(len(columns["mcc"]), label) for columns, label in parts])
    in_time = np.argsort(rng.uniform(0, DAYS, len(labels)), kind="stable")
    return Dataset(matrix[in_time], labels[in_time])


def _people(rng: np.random.Generator, count: int) -> Columns:
    amount = _rupees(rng, count, 600, 1.1)
    in_an_hour = 1 + rng.poisson(0.25, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.normal(9, 4.5, count).round() % 24,
        "card_attempts_1m": np.minimum(1 + rng.binomial(1, 0.04, count), in_an_hour),
        "card_attempts_1h": in_an_hour,
        "card_amount_24h_minor": amount * rng.uniform(1, 3, count).round(2),
        "merchant_attempts_1m": 1 + rng.poisson(6, count),
        "bin_country_mismatch": rng.binomial(1, 0.02, count),
        "is_upi": rng.binomial(1, 0.6, count),
        "mcc": rng.choice(_EVERYDAY_MCC, count, p=_EVERYDAY_SHARE),
    }


def _large_purchases(rng: np.random.Generator, count: int) -> Columns:
    amount = _rupees(rng, count, 15_000, 0.9)
    in_an_hour = 1 + rng.poisson(1.2, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.integers(0, 24, count),
        "card_attempts_1m": np.minimum(1 + rng.poisson(0.6, count), in_an_hour),
        "card_attempts_1h": in_an_hour,
        "card_amount_24h_minor": amount * in_an_hour,
        "merchant_attempts_1m": 1 + rng.poisson(6, count),
        "bin_country_mismatch": rng.binomial(1, 0.06, count),
        "is_upi": rng.binomial(1, 0.4, count),
        "mcc": rng.choice((0, 5732, 5944, 7995, 5411), count, p=(0.4, 0.25, 0.15, 0.05, 0.15)),
    }


def _small_payments_in_a_row(rng: np.random.Generator, count: int) -> Columns:
    amount = rng.integers(100, 6_000, count)
    in_a_minute = _log_uniform(rng, count, 1, 45)
    in_an_hour = in_a_minute + rng.integers(0, 120, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.integers(0, 24, count),
        "card_attempts_1m": in_a_minute,
        "card_attempts_1h": in_an_hour,
        "card_amount_24h_minor": amount * in_an_hour,
        "merchant_attempts_1m": in_a_minute + rng.poisson(20, count),
        "bin_country_mismatch": rng.binomial(1, 0.002, count),
        "is_upi": rng.binomial(1, 0.4, count),
        "mcc": rng.choice((0, 4111, 5815, 7995, 5411), count, p=(0.4, 0.30, 0.15, 0.05, 0.10)),
    }


def _busy_payers(rng: np.random.Generator, count: int) -> Columns:
    amount = _rupees(rng, count, 400, 1.3)
    in_a_minute = _log_uniform(rng, count, 1, 20_000)
    in_an_hour = in_a_minute * rng.uniform(1, 20, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.integers(0, 24, count),
        "card_attempts_1m": in_a_minute,
        "card_attempts_1h": in_an_hour.round(),
        "card_amount_24h_minor": (amount * in_an_hour * rng.uniform(1, 4, count)).round(),
        "merchant_attempts_1m": (in_a_minute * rng.uniform(1, 2, count)).round() + rng.poisson(6, count),
        "bin_country_mismatch": rng.binomial(1, 0.10, count),
        "is_upi": rng.binomial(1, 0.3, count),
        "mcc": rng.choice(_EVERYDAY_MCC, count, p=_EVERYDAY_SHARE),
    }


def _numbers_tried_out(rng: np.random.Generator, count: int) -> Columns:
    amount = rng.integers(100, 5_000, count)
    in_a_minute = rng.integers(3, 40, count)
    in_an_hour = in_a_minute + rng.integers(0, 120, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.integers(0, 24, count),
        "card_attempts_1m": in_a_minute,
        "card_attempts_1h": in_an_hour,
        "card_amount_24h_minor": amount * in_an_hour,
        "merchant_attempts_1m": in_a_minute + rng.poisson(20, count),
        "bin_country_mismatch": rng.binomial(1, 0.75, count),
        "is_upi": np.zeros(count, dtype=int),
        "mcc": rng.choice((0, 5815, 8398, 5411), count, p=(0.4, 0.35, 0.15, 0.10)),
    }


def _stolen_cards(rng: np.random.Generator, count: int) -> Columns:
    amount = _rupees(rng, count, 15_000, 0.8)
    in_an_hour = 1 + rng.poisson(2, count)
    return {
        "amount_minor": amount,
        "hour_of_day": rng.normal(20, 3, count).round() % 24,
        "card_attempts_1m": np.minimum(1 + rng.poisson(0.6, count), in_an_hour),
        "card_attempts_1h": in_an_hour,
        "card_amount_24h_minor": amount * in_an_hour,
        "merchant_attempts_1m": 1 + rng.poisson(6, count),
        "bin_country_mismatch": rng.binomial(1, 0.55, count),
        "is_upi": np.zeros(count, dtype=int),
        "mcc": rng.choice((0, 5732, 5944, 7995, 5411), count, p=(0.35, 0.30, 0.15, 0.10, 0.10)),
    }


def _people_talked_into_it(rng: np.random.Generator, count: int) -> Columns:
    amount = _rupees(rng, count, 20_000, 0.6)
    return _people(rng, count) | {
        "amount_minor": amount,
        "card_amount_24h_minor": amount,
        "is_upi": np.ones(count, dtype=int),
        "bin_country_mismatch": np.zeros(count, dtype=int),
    }


def _rupees(rng: np.random.Generator, count: int, median: float, spread: float) -> np.ndarray[Any, Any]:
    """Return amounts in paise, log-normal around a median in rupees."""
    return (rng.lognormal(np.log(median), spread, count) * 100).round()


def _log_uniform(rng: np.random.Generator, count: int, low: float, high: float) -> np.ndarray[Any, Any]:
    return np.exp(rng.uniform(np.log(low), np.log(high), count)).round()
