"""`florin bench link`: its shortest form runs, and what it compares is the same work."""

from typer.testing import CliRunner

from mesh.local.cli import app
from mesh.local.link_samples import bare_round_trip, round_trip


def test_it_prints_both_ratios() -> None:
    options = ["--messages", "20", "--turns", "1", "--requests", "64", "--in-flight", "8"]
    printed = CliRunner().invoke(app, ["bench", "link", *options])

    assert printed.exit_code == 0, printed.output
    assert "at most 1.5" in printed.output
    assert "authorizations on one connection, 8 in flight" in printed.output


def test_both_codecs_do_the_same_work() -> None:
    (ours_written, ours_read), ((bare_written, _), (bare_read, _)) = round_trip()(), bare_round_trip()()

    assert ours_written[:36] == bytes(bare_written)[:36]
    assert len(ours_read.fields) == 20
    assert {number: bare_read[str(number)] for number in ours_read.fields} == dict(ours_read.fields)
