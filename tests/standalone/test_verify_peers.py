"""The peers of `make verify` are what they claim to be: Apache Kafka that keeps its log, PostgreSQL 15."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.peers import debian_postgres_15, kafka_broker, postgres_server


@pytest.mark.kafka
async def test_kafka_keeps_what_it_confirmed_over_a_kill() -> None:
    with kafka_broker() as broker:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept.v1", 1, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True) as producer:
            for number in range(20):
                await producer.send_and_wait("kept.v1", str(number).encode())
        broker.restart()
        assert broker.keeps_its_log
        consumer = AIOKafkaConsumer("kept.v1", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
        async with consumer:
            values = [(await consumer.getone()).value for _ in range(20)]
        assert values == [str(number).encode() for number in range(20)]


@pytest.mark.pg15
async def test_debians_postgresql_is_version_15_and_survives_a_kill() -> None:
    with postgres_server(debian_postgres_15()) as server:
        server.kill()
        server.start()
        server.wait_ready()
        connection = await asyncpg.connect(server.url())
        assert connection.get_server_version().major == 15
        await connection.close()
