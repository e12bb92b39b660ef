"""The topics that the contracts name."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mesh.local.estate import PARTITIONS

PATIENCE_S = 10.0


def provision(bootstrap: str) -> None:
    """Make every topic that is not there yet. Raises KafkaException when one cannot be made."""
    from services.chassis import contract  # noqa: PLC0415 - loads every contract, and only this step needs them

    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    wanted = [NewTopic(name, num_partitions=PARTITIONS, replication_factor=1) for name in contract.topics()]
    made = client.create_topics(wanted, operation_timeout=PATIENCE_S)
    for topic in made.values():
        try:
            topic.result(PATIENCE_S)
        except KafkaException as refusal:
            if refusal.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
