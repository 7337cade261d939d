"""The order in which a worker looks into its queues."""

from __future__ import annotations

from itertools import permutations

import pytest
from kombu.utils.scheduling import cycle_by_name

from lookalike.workers.factory import QUEUES, InOrder, create_app
from tests.platforms import World

NAMES = [str(name) for name in QUEUES]
TALK = "one@localhost.celery.pidbox"
"""A queue of the library's own, for questions to a worker."""


@pytest.mark.parametrize("items", list(permutations([*NAMES, TALK])))
def test_the_library_s_talk_comes_first_then_sweeps_uploads_and_imports(items: tuple[str, ...]):
    order = InOrder(list(items))
    expected = [TALK, "sweep", "interactive", "bulk"]
    for used in (None, *items):
        order.rotate(used)
        for count in range(len(items) + 1):
            assert order.consume(count) == expected[:count]


def test_queues_that_are_added_later_take_their_places():
    order = InOrder(["bulk"])
    order.update(["bulk", "interactive", "sweep"])
    assert order.consume(3) == ["sweep", "interactive", "bulk"]


def test_workers_use_this_order(world: World):
    app = create_app(world.platform.settings, lambda: world.platform)
    strategy = app.conf.broker_transport_options["queue_order_strategy"]
    assert cycle_by_name(strategy) is InOrder
