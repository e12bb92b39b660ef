"""The model as files: LightGBM's text, and a card that says what it is. Nothing is ever unpickled."""

from hashlib import sha256
from pathlib import Path

import lightgbm
from pydantic import BaseModel, ConfigDict

from sims.model.features import NAMES

MODEL_FILE, CARD_FILE = "model.txt", "model.json"
SHIPPED = Path(__file__).with_name("artefact")


class ArtefactError(Exception):
    """The files are not the model that their card says."""


class Calibration(BaseModel):
    """Platt's: the probability is 1 / (1 + exp(-(slope * raw + intercept))) of the trees' raw sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slope: float
    intercept: float


class Metrics(BaseModel):
    """On the last fifth of the time that the data covers, which training never saw.

    fraud_rate: what a blind guess gets as pr_auc. pr_auc: area under precision over recall (average precision).
    recall_at_1_percent: of the frauds, how many are among the hundredth of payments with the highest scores;
    amount_recall_at_1_percent: the same share of their amounts. calibration_error: expected, over ten groups by score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    fraud_rate: float
    pr_auc: float
    recall_at_1_percent: float
    amount_recall_at_1_percent: float
    calibration_error: float


class Card(BaseModel):
    """What the model is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    sha256: str
    features: tuple[str, ...]
    calibration: Calibration
    metrics: Metrics
    data: str


def digest(text: str) -> str:
    """Return the SHA-256 of the model's text, hexadecimal."""
    return sha256(text.encode()).hexdigest()


def save(folder: Path, text: str, card: Card) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_text(text, encoding="utf-8")
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[lightgbm.Booster, Card]:
    """Return the model and its card; ArtefactError when the text is not the card's or asks for other features."""
    card = Card.model_validate_json((folder / CARD_FILE).read_bytes())
    text = (folder / MODEL_FILE).read_text(encoding="utf-8")
    if digest(text) != card.sha256:
        raise ArtefactError(f"{MODEL_FILE} does not have the SHA-256 that {CARD_FILE} says")
    if card.features != NAMES:
        raise ArtefactError(f"{CARD_FILE} names other features than this program has")
    return lightgbm.Booster(model_str=text), card
