"""How a part shows that it does its work. Each returns when it does and raises whatever its client raises when not."""

import socket
from pathlib import Path
from typing import Any

import grpc
import httpx
import psycopg
import redis
from confluent_kafka.admin import AdminClient
from grpc_health.v1 import health_pb2, health_pb2_grpc

PATIENCE_S = 2.0


def kafka(bootstrap: str) -> None:
    """A broker answers and has joined its cluster."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200})
    if not client.list_topics(timeout=PATIENCE_S).brokers:
        raise ConnectionError("no broker has joined yet")


def postgres(dsn: str) -> None:
    """A session can be opened."""
    psycopg.connect(dsn, connect_timeout=int(PATIENCE_S)).close()


def redis_server(url: str) -> None:
    """Redis answers PING."""
    with redis.Redis.from_url(url, socket_timeout=PATIENCE_S) as client:
        client.ping()


def http(url: str) -> None:
    """An HTTP server answers, whatever it says."""
    httpx.get(url, timeout=PATIENCE_S)


def tcp(host: str, port: int) -> None:
    """A server takes connections."""
    socket.create_connection((host, port), timeout=PATIENCE_S).close()


def envoy(admin: Path) -> None:
    """Envoy has loaded its configuration and its listeners are open; asked over its admin socket."""
    # Tried first: httpx leaves a socket open that could not connect.
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(admin))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin)), timeout=PATIENCE_S) as client:
        client.get("http://envoy/ready").raise_for_status()


def grpc_service(target: str) -> None:
    """A gRPC server says SERVING (gRPC health checking protocol)."""
    with grpc.insecure_channel(target) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # the package's own types know no methods
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ConnectionError("the server does not serve yet")
