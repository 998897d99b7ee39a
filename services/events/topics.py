"""The topics: who owns each, who hears it, how long its facts can be told again from PostgreSQL."""

from dataclasses import dataclass
from datetime import timedelta

PARTITIONS = 8
"""Partitions of every topic, and shards of every outbox: shard n is partition n, so that order survives the relay."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic.

    *consumers* are the services whose inbox watermark confirms a record. *personal* payloads name phone numbers or
    addresses: they are blanked in the outbox once confirmed or after 24 hours. *external* topics accept records from
    outside; on all others a record of a foreign source is a dead letter.
    """

    name: str
    owner: str
    consumers: tuple[str, ...]
    retention: timedelta = timedelta(days=7)
    personal: bool = False
    external: bool = False


CRM_CONTACTS = Topic("crm.contacts.v1", "crm", ("dialer", "notifier"))
CRM_ENROLMENTS = Topic(
    "crm.enrolments.v1", "crm", ("dialer",), retention=timedelta(hours=24), personal=True, external=True
)
CRM_CONSENTS = Topic("crm.consents.v1", "crm", ("dialer", "notifier"), retention=timedelta(days=30))
DIALER_CAMPAIGNS = Topic("dialer.campaigns.v1", "dialer", ("crm", "notifier"))
DIALER_CALLS = Topic("dialer.calls.v1", "dialer", ("crm", "notifier"))
DIALER_RESPONSES = Topic("dialer.responses.v1", "dialer", ("crm", "notifier"), retention=timedelta(days=30))
DIALER_OPERATORS = Topic("dialer.operators.v1", "dialer", ("crm",))
NOTIFIER_REQUESTS = Topic(
    "notifier.requests.v1", "notifier", ("notifier",), retention=timedelta(hours=24), personal=True, external=True
)
NOTIFIER_DELIVERIES = Topic("notifier.deliveries.v1", "notifier", ("crm", "dialer"))
NOTIFIER_INBOUND = Topic("notifier.inbound.v1", "notifier", ("crm",), retention=timedelta(days=30))

TOPICS: tuple[Topic, ...] = (
    CRM_CONTACTS,
    CRM_ENROLMENTS,
    CRM_CONSENTS,
    DIALER_CAMPAIGNS,
    DIALER_CALLS,
    DIALER_RESPONSES,
    DIALER_OPERATORS,
    NOTIFIER_REQUESTS,
    NOTIFIER_DELIVERIES,
    NOTIFIER_INBOUND,
)
