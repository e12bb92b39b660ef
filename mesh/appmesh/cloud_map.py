"""AWS Cloud Map: which instances a service has, asked for again and again (DiscoverInstances)."""

import os
from typing import Any, Final

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mesh.appmesh.envoy.setting import Instance
from mesh.appmesh.schema.nodes import AwsCloudMap

log = structlog.get_logger(__name__)

MOST: Final = 1000
"""The most instances that one answer can hold; Cloud Map has no second page for it."""

ADDRESSES: Final = ("AWS_INSTANCE_IPV4", "AWS_INSTANCE_IPV6")
PORT: Final = "AWS_INSTANCE_PORT"


def client() -> Any:
    """Return a client where boto3's environment says. At an endpoint of one's own there is no host `data-`."""
    own = "AWS_ENDPOINT_URL_SERVICEDISCOVERY" in os.environ or "AWS_ENDPOINT_URL" in os.environ
    return boto3.client("servicediscovery", config=Config(inject_host_prefix=not own))


class CloudMap:
    """The healthy instances of every service that was asked for. What cannot be asked stays as it was."""

    def __init__(self, servicediscovery: Any) -> None:
        self._client = servicediscovery
        self._known: dict[AwsCloudMap, tuple[Instance, ...]] = {}

    def __call__(self, service: AwsCloudMap) -> tuple[Instance, ...]:
        """Return the instances of a service as they were last heard of; from now on it is asked for."""
        return self._known.setdefault(service, ())

    def refresh(self) -> bool:
        """Ask for every service, and return whether anything has changed."""
        before = dict(self._known)
        for service in before:
            try:
                self._known[service] = self._instances(service)
            except (BotoCoreError, ClientError) as error:
                log.warning("cloud map", namespace=service.namespace_name, service=service.service_name, why=str(error))
        return self._known != before

    def _instances(self, service: AwsCloudMap) -> tuple[Instance, ...]:
        answer = self._client.discover_instances(
            NamespaceName=service.namespace_name,
            ServiceName=service.service_name,
            QueryParameters={one.key: one.value for one in service.attributes or ()},
            HealthStatus="HEALTHY",
            MaxResults=MOST,
        )
        found = (one["Attributes"] for one in answer["Instances"])
        there = {_instance(attributes) for attributes in found if any(name in attributes for name in ADDRESSES)}
        return tuple(sorted(there, key=lambda one: (one.address, one.port or 0)))


def _instance(attributes: dict[str, str]) -> Instance:
    address = next(attributes[name] for name in ADDRESSES if name in attributes)
    return Instance(address, int(attributes[PORT]) if PORT in attributes else None)
