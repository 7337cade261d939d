"""The worker's task: it indexes, and it comes back after an outage."""

from __future__ import annotations

from uuid import uuid4

import pytest
from celery import Task

from lookalike.services.broker import INDEX_TASK
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.models import State
from lookalike.workers.factory import create_app
from lookalike.workers.starting import ending_on_failure, refuse_forks
from tests.platforms import OUTAGE, World, small


@pytest.fixture
def index(world: World) -> Task:
    """The task, to be carried out here and now."""
    return create_app(world.platform.settings, lambda: world.platform).tasks[INDEX_TASK]


def fail_once(world: World, error: Exception) -> None:
    def fail() -> None:
        raise error

    world.vectors.before["upsert"] = fail


def test_a_task_indexes_the_pictures_that_it_names(world: World, index: Task):
    first, second, other = world.add(small(1), small(2), small(3))
    result = index.apply(args=[[str(first), str(second), str(uuid4())]])
    assert result.successful()
    states = [world.state(one) for one in (first, second, other)]
    assert states == [State.INDEXED, State.INDEXED, State.PENDING]


def test_an_outage_is_tried_again(world: World, index: Task):
    [picture_id] = world.add(small())
    fail_once(world, OUTAGE)
    index.apply(args=[[str(picture_id)]])
    assert world.state(picture_id) == State.INDEXED


def test_a_mistake_of_ours_is_not(world: World, index: Task):
    [picture_id] = world.add(small())
    fail_once(world, RuntimeError("a bug"))
    result = index.apply(args=[[str(picture_id)]])
    assert isinstance(result.result, RuntimeError)
    assert world.state(picture_id) == State.PENDING


def test_each_queue_gets_its_own_tasks_and_no_others(world: World):
    app = create_app(world.platform.settings, lambda: world.platform)
    ways = {(queue.exchange.name, queue.routing_key) for queue in app.amqp.queues.values()}
    assert ways == {(name, name) for name in ("sweep", "interactive", "bulk")}


def test_a_pool_that_forks_is_refused_under_each_of_its_names(world: World):
    refuse_forks(create_app(world.platform.settings, lambda: world.platform).conf.worker_pool)
    refuse_forks("solo")
    for name in ("prefork", "processes"):
        with pytest.raises(ConfigurationError, match="-P threads"):
            refuse_forks(name)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ConfigurationError("Set it."), 2, "Set it."),
        (UnavailableError("It is down."), 1, "It is down."),
        (OSError("a detail"), 1, "could not start (OSError)"),
    ],
)
def test_whatever_is_in_the_way_of_starting_ends_the_process_with_a_sentence(
    error: Exception, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught, ending_on_failure():
        raise error
    [told] = [one for one in capsys.readouterr().err.splitlines() if one.startswith("lookalike: ")]
    assert (caught.value.code, sentence in told) == (code, True)
