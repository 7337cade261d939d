"""Named places where tests kill or hold a process, to prove that nothing is lost there.

`LOOKALIKE_FAILPOINTS` names them with what happens there: `after_upsert=kill` ends the process as
a power cut would, `after_embed=wait:2` sleeps for 2 seconds. `*1` at the end (`kill*1`) means: not
before that many have passed. Unset, as it is for everybody but tests, a failpoint does nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping

VARIABLE = "LOOKALIKE_FAILPOINTS"


def parse(text: str) -> dict[str, tuple[str, int]]:
    """`name=action*passes,...` as action and passes by name. Raises ValueError."""
    points = {}
    for part in filter(None, text.split(",")):
        name, action = part.split("=")
        action, _, passes = action.partition("*")
        points[name] = (action, int(passes or 0))
    return points


_POINTS: Mapping[str, tuple[str, int]] = parse(os.environ.get(VARIABLE, ""))
_PASSED: Counter[str] = Counter()


def reach(name: str) -> None:
    """Do what the test that runs this process wants at this place; nothing outside tests."""
    if name not in _POINTS:
        return
    action, passes = _POINTS[name]
    _PASSED[name] += 1
    if _PASSED[name] <= passes:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(action.removeprefix("wait:")))
