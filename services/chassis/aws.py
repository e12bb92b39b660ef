"""What every boto3 client of a service has in common; Region, endpoint and credentials come from the environment."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.chassis import observe
from services.chassis.errors import Unavailable

# As many connections as there are threads to use them; they are kept open. One repeat bridges a connection that broke.
CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,
    tcp_keepalive=True,
)


@contextmanager
def reachable() -> Iterator[None]:
    """Answer a caller with Unavailable where AWS does not do what it is asked.

    For rpcs. A handler lets the error pass instead, and is tried again.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        observe.log().warning("aws", error=type(error).__name__, words=str(error))
        raise Unavailable("STORE_UNAVAILABLE", "what this needs does not answer; try again") from error
