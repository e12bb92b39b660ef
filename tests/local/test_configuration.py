"""What is generated from the parts: the supervisor's configuration and the parts' own."""

import os
from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from mesh.local import environment, infra, places, pods
from mesh.local.infra import Tools
from mesh.local.parts import Part
from mesh.local.state import State
from mesh.local.supervise import configuration
from mesh.topology import SERVICES

TOOLS = Tools(kafka=Path("/jars/kafka"), dynamodb=Path("/jars/dynamodb"), ministack=Path("/ministack/bin/python"))
NAMES = (*infra.PORTS, *places.PORTS)
PORTS: Mapping[str, int] = {name: 20_000 + number for number, name in enumerate(NAMES)}


def everything(state: State) -> dict[str, Part]:
    outside = (*infra.parts(state, PORTS, TOOLS), *pods.simulators(state, PORTS))
    return {part.name: part for part in (*outside, *pods.pods(state, PORTS))}


def parsed(state: State, parts: Mapping[str, Part]) -> RawConfigParser:
    config = RawConfigParser()
    config.read_string(configuration(state, parts.values()))
    return config


def test_the_supervisor_accepts_its_configuration_and_reads_commands_and_environments_as_meant(state: State) -> None:
    odd = Part(
        "odd", ("echo", "a b", "100%", "it's"), check=lambda: None, environment={"A": "50%,b=c", "URL": "x:y@z/?q"}
    )
    path = state.conf / "supervisord.conf"
    path.write_text(configuration(state, [odd]))
    options = ServerOptions()
    options.realize(["-c", str(path)], doc="")
    (group,) = options.process_group_configs
    (program,) = group.process_configs
    assert program.command == "echo 'a b' 100% 'it'\"'\"'s'"
    assert program.environment == {"A": "50%,b=c", "URL": "x:y@z/?q"}


def test_dependents_end_before_what_they_need(state: State) -> None:
    config = parsed(state, everything(state))
    priority = {
        name: int(config[section]["priority"])
        for section in config.sections()
        if section.startswith("group:")
        for name in config[section]["programs"].split(",")
    }
    for name, part in everything(state).items():
        assert all(priority[need] < priority[name] for need in part.needs)


def test_nothing_starts_by_itself_and_everything_comes_back(state: State) -> None:
    config = parsed(state, everything(state))
    programs = [config[section] for section in config.sections() if section.startswith("program:")]
    assert len(programs) == len(everything(state))
    assert {(program["autostart"], program["autorestart"]) for program in programs} == {("false", "true")}


def test_redis_never_writes_to_disk(state: State) -> None:
    (conf,) = everything(state)["redis"].files.values()
    assert 'save ""\n' in conf
    assert "appendonly no\n" in conf


def test_everything_listens_on_loopback_only(state: State) -> None:
    parts = everything(state)
    (kafka,) = parts["kafka"].files.values()
    listeners = [line for line in kafka.splitlines() if line.startswith("listeners=")]
    assert listeners == [
        f"listeners=PLAINTEXT://127.0.0.1:{PORTS['kafka']},CONTROLLER://127.0.0.1:{PORTS['kafka.controller']}"
    ]
    assert "listen_addresses=127.0.0.1" in parts["postgres"].command
    assert parts["aws"].environment["BIND_HOST"] == "127.0.0.1"
    assert "LoopbackDynamoDb" in parts["dynamodb"].command


def test_every_pod_has_an_address_and_sockets_of_its_own(state: State) -> None:
    found = places.pods(state, PORTS).values()
    assert len({(pod.address, pod.port) for pod in found}) == len(found)
    assert {pod.port for pod in found} == {PORTS["mesh"]}
    assert all(pod.address.startswith("127.1.") for pod in found)
    assert len({path for pod in found for path in (pod.service, pod.mesh, pod.admin)}) == 3 * len(found)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_learns_what_it_stands_on_and_no_more(state: State, service: str) -> None:
    told = environment.of_service(state, PORTS, service)
    assert told["FLORIN_LISTEN"] == f"unix:{state.run}/{service}.sock"
    assert ("FLORIN_DATABASE" in told) == ("postgres" in places.STANDS_ON[service])
    assert ("FLORIN_REDIS" in told) == ("redis" in places.STANDS_ON[service])
    assert ("AWS_ENDPOINT_URL_KMS" in told) == ("aws" in places.STANDS_ON[service])


def test_no_service_can_open_another_ones_database(state: State) -> None:
    dsns = [
        told["FLORIN_DATABASE"]
        for name in SERVICES
        if "FLORIN_DATABASE" in (told := environment.of_service(state, PORTS, name))
    ]
    assert len(dsns) == len(set(dsns))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up rights")
def test_root_runs_postgres_as_nobody(state: State) -> None:
    assert everything(state)["postgres"].command[:2] == ("setpriv", "--reuid=nobody")


def test_it_is_known_what_every_service_stands_on(state: State) -> None:
    assert set(places.STANDS_ON) == set(SERVICES)
    assert set().union(*places.STANDS_ON.values()) <= set(everything(state))
