"""Rule files that are read, and those that are refused with the rule and the field that is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.risk import rulefile
from services.risk.rules import MOST_REMEMBERED
from tests.kit.text import table
from tests.risk.examples import STRICT

SHIPPED = Path(rulefile.__file__).parent
HEAD = "version: x\nmodel: {review_from: 0.5, decline_from: 0.8}\nrules:\n  - "

# The first word of what is wrong is the field that must be named.
REFUSED = table("""
    named             rule
    field currency    {id: bad_one, kind: amount, currency: RUP, above_minor: 5, outcome: review}
    field above_minor  {id: bad_one, kind: amount, currency: INR, above_minor: 0, outcome: review}
    field above_minor  {id: bad_one, kind: amount, currency: INR, above_minor: "5", outcome: review}
    field above_minor  {id: bad_one, kind: amount, currency: INR, above_minor: 5.5, outcome: review}
    field above_minor  {id: bad_one, kind: amount, currency: INR, above_minor: true, outcome: review}
    field above_minor  {id: bad_one, kind: amount, currency: INR, outcome: review}
    field outcome     {id: bad_one, kind: amount, currency: INR, above_minor: 5, outcome: refuse}
    field outcome     {id: bad_one, kind: amount, currency: INR, above_minor: 5}
    field above       {id: bad_one, kind: amount, currency: INR, above_minor: 5, outcome: review, above: 5}
    field window      {id: bad_one, kind: count, subject: card, window: 2m, above: 5, outcome: review}
    field subject     {id: bad_one, kind: count, subject: ip, window: 1m, above: 5, outcome: review}
    field above       {id: bad_one, kind: count, subject: card, window: 1m, above: 25000, outcome: review}
    field fail_open   {id: bad_one, kind: count, subject: card, window: 1m, above: 5, outcome: review, fail_open: maybe}
    field window      {id: bad_one, kind: sum, subject: card, window: 1m, currency: INR, above_minor: 5}
    field trait       {id: bad_one, kind: block, trait: email, values: ["a"], outcome: decline}
    field values      {id: bad_one, kind: block, trait: bin, values: ["41111"], outcome: decline}
    field values.0    {id: bad_one, kind: block, trait: bin, values: [411111], outcome: decline}
    field values.0    {id: bad_one, kind: block, trait: customer_country, values: [NO], outcome: decline}
    field values      {id: bad_one, kind: block, trait: customer_country, values: ["India"], outcome: decline}
    field values      {id: bad_one, kind: block, trait: vpa, values: ["mallory@okaxis"], outcome: decline}
""")


@pytest.mark.parametrize("row", REFUSED, ids=[f"{at}-{row['named']}" for at, row in enumerate(REFUSED)])
def test_a_bad_rule_is_refused_by_its_name_and_field(tmp_path: Path, row: dict[str, str]) -> None:
    assert f"rule bad_one, {row['named']}:" in refusal(tmp_path, HEAD + row["rule"])


WHOLE = {
    "no rule of that kind": (HEAD + "{id: bad_one, kind: mood, outcome: review}", "rule bad_one, "),
    "id twice": (
        HEAD
        + "{id: abc, kind: country_mismatch, outcome: review}\n" * 1
        + "  - {id: abc, kind: country_mismatch, outcome: shadow}",
        "rule abc, field id:",
    ),
    "reserved id": (HEAD + "{id: model_score, kind: country_mismatch, outcome: review}", "rule model_score, field id:"),
    "no id": (HEAD + "{kind: country_mismatch, outcome: review}", "rule number 1, field id:"),
    "id of another shape": (HEAD + "{id: No Good, kind: country_mismatch, outcome: review}", "rule No Good, field id:"),
    "no version": ("model: {review_from: 0.5, decline_from: 0.8}\nrules: []", "field version:"),
    "threshold too high": (
        "version: x\nmodel: {review_from: 0.5, decline_from: 1.8}\nrules: []",
        "field model.decline_from:",
    ),
    "thresholds crossed": (
        "version: x\nmodel: {review_from: 0.9, decline_from: 0.8}\nrules: []",
        "field model: field review_from",
    ),
    "a word too many": (
        "version: x\nmood: good\nmodel: {review_from: 0.5, decline_from: 0.8}\nrules: []",
        "field mood:",
    ),
    "no mapping": ("- just\n- words", "dictionary"),
    "no YAML": ("rules: [", "not readable as YAML"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_bad_file_is_refused(tmp_path: Path, case: str) -> None:
    text, named = WHOLE[case]

    assert named in refusal(tmp_path, text)


def test_every_problem_is_told_at_once_and_no_value_is(tmp_path: Path) -> None:
    bad = HEAD + "\n  - ".join(
        f"{{id: rule_{at}, kind: amount, currency: INR, above_minor: 0, outcome: secret_word}}" for at in range(3)
    )

    told = refusal(tmp_path, bad)

    assert all(f"rule rule_{at}, field above_minor" in told for at in range(3))
    assert "secret_word" not in told


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(rulefile.BadRulesError, match=r"absent\.yaml"):
        rulefile.load_rules(tmp_path / "absent.yaml")


def refusal(folder: Path, text: str) -> str:
    path = folder / "rules.yaml"
    path.write_text(text)
    with pytest.raises(rulefile.BadRulesError) as refused:
        rulefile.load_rules(path)
    return str(refused.value)


@pytest.mark.parametrize("path", [SHIPPED / "rules.yaml", STRICT])
def test_good_files_are_read(path: Path) -> None:
    book = rulefile.load_rules(path)

    assert len({rule.id for rule in book.rules}) == len(book.rules) > 0


def test_a_limit_that_the_counters_could_never_pass_is_refused(tmp_path: Path) -> None:
    rule = "{{id: high, kind: count, subject: card, window: 24h, above: {}, outcome: review}}"

    assert "rule high, field above:" in refusal(tmp_path, HEAD + rule.format(MOST_REMEMBERED))
    (tmp_path / "rules.yaml").write_text(HEAD + rule.format(MOST_REMEMBERED - 1))
    assert rulefile.load_rules(tmp_path / "rules.yaml").rules


def test_the_service_does_not_start_on_a_bad_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(HEAD + "{id: bad_one, kind: amount, currency: INR, above_minor: 0, outcome: review}")
    told = {"FLORIN_LISTEN": f"unix:{tmp_path}/risk.sock", "FLORIN_RULES": str(path)}

    ended = subprocess.run(
        [sys.executable, "-m", "services.risk"], env={**os.environ, **told}, capture_output=True, text=True, check=False
    )

    assert ended.returncode != 0
    assert "rules.yaml: rule bad_one, field above_minor:" in ended.stderr


BAD_BINS = {
    "country": ('india: ["411111"]', "field india"),
    "digits": ('IN: ["4111"]', "field IN.0"),
    "a number": ("IN: [411111]", "field IN.0"),
    "two countries": ('IN: ["411111"]\nUS: ["411111"]', "411111 is in IN and in US"),
}


@pytest.mark.parametrize("case", BAD_BINS)
def test_a_bad_bin_table_is_refused(tmp_path: Path, case: str) -> None:
    text, named = BAD_BINS[case]
    path = tmp_path / "bins.yaml"
    path.write_text(text)

    with pytest.raises(rulefile.BadRulesError, match=named):
        rulefile.load_bins(path)


def test_the_shipped_bins_are_read() -> None:
    assert rulefile.load_bins(SHIPPED / "bins.yaml")["411111"] == "IN"
