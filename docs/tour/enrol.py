"""What another system runs: enrols a person into a campaign over Kafka, without asking any service.

    python enrol.py BROKER CAMPAIGN_ID

The record is a CloudEvent in binary mode; docs/events/ has the schema of every event.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

broker, campaign_id = sys.argv[1:]
contact_id = uuid.uuid4()  # your own id of the person; the same person and campaign again changes nothing
person = {
    "campaign_id": campaign_id,
    "contact_id": str(contact_id),
    "name": "Nest Vaughan",
    "phones": [{"e164": "+441632960777", "kind": "landline"}],
    "address": {"country": "GB", "time_zone": "Europe/London"},
    "relationship": "customer",
}
headers = {
    "ce_specversion": "1.0",
    "ce_id": str(uuid.uuid4()),
    "ce_source": "our-shop",
    "ce_type": "crm.lead.enrolled.v1",
    "ce_time": datetime.now(UTC).isoformat(),
    "content-type": "application/json",
}


async def main():
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        sent = await producer.send_and_wait(
            "crm.enrolments.v1",
            json.dumps(person).encode(),
            key=str(contact_id).encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
        )
    print(f"enrolled {contact_id} with record {sent.offset} of {sent.topic}/{sent.partition}")


asyncio.run(main())
