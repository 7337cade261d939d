"""The Celery queue on the in-process broker: batches, workers, and a broker that is down."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

import pytest
from celery import Celery
from celery.worker.control import Panel
from kombu.transport.memory import Channel

from lookalike.services.adapters.celery_queue import CeleryQueue
from lookalike.services.broker import INDEX_TASK, MEMORY_QUESTION, is_embedded, transport_options
from lookalike.services.errors import UnavailableError
from lookalike.services.ports import Worker
from lookalike.services.records import Queue
from lookalike.services.settings import Settings
from lookalike.workers.factory import create_app
from lookalike.workers.thread import WorkerThread
from tests.servers.processes import wait_until

UNREACHABLE = "amqp://guest@127.0.0.1:1//"


@pytest.fixture
def queue() -> Iterator[CeleryQueue]:
    """An empty queue; the broker's memory is shared by the whole process."""
    Channel.queues.clear()
    queue = CeleryQueue("memory://", batch=3, lease_seconds=30)
    yield queue
    queue.close()
    Channel.queues.clear()


def messages(queue: Queue = Queue.INTERACTIVE) -> list[dict]:
    """Take what is queued, as a worker would."""
    with Celery(broker="memory://").connection_for_read() as connection:
        channel = connection.default_channel
        taken = []
        while message := channel.basic_get(str(queue), no_ack=True):
            taken.append({"task": message.headers["task"], "ids": message.payload[0][0]})
        return taken


def test_ids_are_queued_in_order_in_tasks_of_a_bounded_size(queue: CeleryQueue):
    ids = [uuid4() for _ in range(7)]
    queue.put(ids)
    assert queue.waiting() == {Queue.INTERACTIVE: 3, Queue.BULK: 0}
    sent = messages()
    assert {one["task"] for one in sent} == {INDEX_TASK}
    assert [len(one["ids"]) for one in sent] == [3, 3, 1]
    assert [UUID(text) for one in sent for text in one["ids"]] == ids


def test_a_part_of_something_large_waits_in_a_queue_of_its_own(queue: CeleryQueue):
    ids = [uuid4(), uuid4()]
    queue.put(ids, Queue.BULK)
    assert queue.waiting() == {Queue.INTERACTIVE: 0, Queue.BULK: 1}
    assert messages(Queue.INTERACTIVE) == []
    assert [one["ids"] for one in messages(Queue.BULK)] == [[str(one) for one in ids]]


def test_nothing_to_do_queues_nothing(queue: CeleryQueue):
    queue.put([])
    assert queue.waiting() == dict.fromkeys(Queue, 0)


def test_without_a_worker_none_is_counted(queue: CeleryQueue):
    assert queue.workers() == []


def asked_anew(queue: CeleryQueue) -> Sequence[Worker]:
    """What workers answer now."""
    queue._known = (float("-inf"), ())
    return queue.workers()


@pytest.fixture
def worker(queue: CeleryQueue) -> Iterator[None]:
    """A worker that answers, on the queue of this process."""
    settings = Settings(_env_file=None, broker_url="memory://")
    thread = WorkerThread(create_app(settings, platform=pytest.fail))
    thread.start()
    wait_until(lambda: bool(asked_anew(queue)), "it answers")
    yield
    assert thread.stop(60)


def test_a_worker_tells_its_name_and_its_memory(queue: CeleryQueue, worker: None):
    [told] = asked_anew(queue)
    assert told.name == "embedded@localhost"
    assert told.memory
    assert told.memory > 50_000_000


def test_what_workers_told_a_moment_ago_is_good_enough(queue: CeleryQueue, worker: None):
    first = queue.workers()
    assert queue.workers() is first
    assert asked_anew(queue) is not first


def test_a_worker_of_an_older_release_is_there_all_the_same(
    queue: CeleryQueue, worker: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(Panel.data, MEMORY_QUESTION)
    assert asked_anew(queue) == [Worker("embedded@localhost", None)]


def test_a_broker_that_is_down_is_unavailable():
    queue = CeleryQueue(UNREACHABLE, batch=3, lease_seconds=30)
    with pytest.raises(UnavailableError):
        queue.put([uuid4()])
    queue.close()


def test_only_the_broker_in_memory_is_embedded():
    assert is_embedded("memory://")
    assert not is_embedded("redis://localhost/0")
    assert transport_options("memory://", 30)
    assert "polling_interval" not in transport_options("redis://localhost/0", 30)


def test_a_broker_that_says_nothing_holds_nobody_for_long():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        queue = CeleryQueue(url, batch=3, lease_seconds=30)
        asked = [
            threading.Thread(target=_refused, args=(ask,), daemon=True)
            for ask in (lambda: queue.put([uuid4()]), queue.waiting, queue.workers, queue.check)
        ]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join(20)  # the system itself would wait for minutes
            assert not thread.is_alive()
        queue.close()


def test_a_broker_that_was_down_a_moment_ago_is_not_asked_again():
    queue = CeleryQueue("redis://127.0.0.1:1/0", batch=3, lease_seconds=30)
    with pytest.raises(UnavailableError):
        queue.put([uuid4()])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        queue._app.conf.broker_url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        listener.settimeout(0.2)
        with pytest.raises(UnavailableError):
            queue.waiting()
        with pytest.raises(TimeoutError):
            listener.accept()
    queue.close()


def _refused(ask: Callable[[], object]) -> None:
    with contextlib.suppress(UnavailableError):
        ask()
