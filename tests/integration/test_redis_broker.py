"""A worker's connection to Valkey that is gone while tasks are in hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection

from lookalike.workers.redis_broker import Transport, use_for_redis
from tests.servers.valkey import Valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture
def connection(valkey: Valkey) -> Iterator[Connection]:
    """A worker's connection, over which a task has come that is not done yet."""
    use_for_redis()
    app = Celery("test", broker=valkey.url, set_as_current=False)
    app.send_task("anything")
    with app.connection_for_read() as made:
        came: list[object] = []
        app.amqp.TaskConsumer(made, callbacks=[lambda _, message: came.append(message)]).consume()
        made.drain_events(timeout=10)
        assert came
        yield made


def test_redis_urls_with_and_without_tls_lead_to_our_transport(valkey: Valkey):
    use_for_redis()
    for scheme, encrypted in (("redis", False), ("rediss", True)):
        url = valkey.url.replace("redis", scheme)
        made = Connection(url)
        assert isinstance(made.transport, Transport)
        assert made.as_uri().startswith(f"{scheme}://")
        assert bool(made.ssl) == encrypted


def test_giving_tasks_back_over_a_connection_that_is_gone_is_no_mistake_in_the_program(
    connection: Connection,
):
    channel = connection.default_channel
    connection.transport.client = None  # as when closing it took too long
    with pytest.raises(connection.connection_errors):
        channel.close()
