"""The command as a person uses it, on the lightest part; whatever interrupts it, nothing stays behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mesh.local.run import Run
from mesh.local.supervise import marked

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]

FLORIN = (sys.executable, "-m", "mesh.local.cli")


class Florin:
    """The command in a state folder of its own."""

    def __init__(self, root: Path) -> None:
        self.run = Run(root)
        self.environment = os.environ | {"FLORIN_STATE": str(root), "COLUMNS": "200", "PYTHONWARNINGS": "default"}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run((*FLORIN, *words), env=self.environment, text=True, capture_output=True, check=False)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen((*FLORIN, *words), env=self.environment, text=True, stdout=subprocess.PIPE)

    def is_up(self) -> bool:
        """Whether the status shows a live redis; the supervisor calls it starting for its first second."""
        return bool(re.search(r"redis\s+(starting|running)\s+\d+", self("status").stdout))

    def left_behind(self) -> list[psutil.Process]:
        return marked(self.run.state)


@pytest.fixture
def florin(tmp_path: Path) -> Iterator[Florin]:
    florin = Florin(tmp_path / "state")
    yield florin
    florin.run.down()
    assert florin.left_behind() == []


@pytest.fixture(scope="module")
def detached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Florin]:
    """One that is up and stays up."""
    florin = Florin(tmp_path_factory.mktemp("detached") / "state")
    assert florin("up", "--only", "redis", "--detach").returncode == 0
    yield florin
    florin.run.down()
    assert florin.left_behind() == []


def read_until(process: "subprocess.Popen[str]", words: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if words in line:
            return
    pytest.fail(f"ended without saying {words!r}")


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_stops_everything(florin: Florin, interruption: signal.Signals) -> None:
    with florin.start("up", "--only", "redis") as up:
        read_until(up, "Florin is up")
        assert len(florin.left_behind()) == 2
        up.send_signal(interruption)
        assert up.wait(30) == 0
    assert florin.left_behind() == []


def test_an_interruption_in_the_middle_of_a_start_stops_everything(florin: Florin) -> None:
    with florin.start("up", "--only", "redis,postgres") as up:
        read_until(up, "redis")
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0
    assert florin.left_behind() == []


def test_a_second_interruption_does_not_cut_the_stop_short(florin: Florin) -> None:
    with florin.start("up", "--only", "redis") as up:
        read_until(up, "Florin is up")
        up.send_signal(signal.SIGINT)
        read_until(up, "stopping")
        up.send_signal(signal.SIGINT)
        up.wait(30)
    assert florin.left_behind() == []


def test_a_detached_start_is_told_of_stopped_and_started_again(florin: Florin) -> None:
    assert florin("up", "--only", "redis", "--detach").returncode == 0
    again = florin("up", "--only", "redis")
    assert "up already" in again.stdout
    assert again.returncode == 0
    assert florin.is_up()
    assert "Redis" in florin("logs", "redis").stdout
    assert florin("down").returncode == 0
    assert florin.left_behind() == []
    assert florin("status").returncode == 1
    assert florin("up", "--only", "redis", "--detach").returncode == 0


def test_two_starts_at_once_are_one(florin: Florin) -> None:
    with florin.start("up", "--only", "redis", "-d") as one, florin.start("up", "--only", "redis", "-d") as other:
        said = [process.communicate()[0] for process in (one, other)]
    assert sorted("up already" in words for words in said) == [False, True]
    assert florin.is_up()


def test_what_a_killed_command_started_is_found_by_the_next(florin: Florin) -> None:
    with florin.start("up", "--only", "redis") as up:
        read_until(up, "Florin is up")
        up.kill()
    assert florin.is_up()
    assert florin("down").returncode == 0
    assert florin.left_behind() == []


def test_a_supervisor_that_was_killed_ends_the_command_and_leaves_nothing(florin: Florin) -> None:
    with florin.start("up", "--only", "redis") as up:
        read_until(up, "Florin is up")
        next(process for process in florin.left_behind() if "supervisor.supervisord" in process.cmdline()).kill()
        assert up.wait(30) == 1
    assert florin.left_behind() == []


def test_two_gateways_run_side_by_side(detached: Florin, florin: Florin) -> None:
    assert florin("up", "--only", "redis", "--detach").returncode == 0
    assert florin.run.addresses() != detached.run.addresses()
    assert florin.is_up()
    assert florin("down").returncode == 0
    assert detached.is_up()


def test_a_gateway_runs_from_a_path_too_long_for_sockets(tmp_path: Path) -> None:
    florin = Florin(tmp_path.joinpath(*["deeper"] * 20))
    try:
        assert florin("up", "--only", "redis", "--detach").returncode == 0
        assert florin.is_up()
    finally:
        florin.run.down()
    assert florin.left_behind() == []
    assert not florin.run.state.run.exists()


def test_a_part_that_does_not_exist_is_refused_by_name(florin: Florin) -> None:
    refused = florin("up", "--only", "ledgr")
    assert refused.returncode == 2
    assert "no part is called ledgr" in refused.stderr
    assert florin.left_behind() == []


def test_a_services_environment_is_printed_for_a_shell(detached: Florin) -> None:
    script = 'eval "$("$0" -m mesh.local.cli env authorizer)" && echo "$FLORIN_REDIS"'
    shell = subprocess.run(
        ("sh", "-c", script, sys.executable), env=detached.environment, text=True, capture_output=True, check=True
    )
    assert shell.stdout.strip() == detached.run.environment("authorizer")["FLORIN_REDIS"]


def test_the_environment_of_an_unknown_service_is_refused_by_name(detached: Florin) -> None:
    refused = detached("env", "ledgr")
    assert refused.returncode == 2
    assert "ledgr" in refused.stderr
