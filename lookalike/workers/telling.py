"""What a worker tells whoever asks all workers at once."""

from __future__ import annotations

from typing import Any

from celery.worker.control import inspect_command

from lookalike.services.broker import MEMORY_QUESTION
from lookalike.services.memory import held_memory


def answer_questions() -> None:
    """Let the workers of this process answer `MEMORY_QUESTION`; Celery asks per process."""
    inspect_command(name=MEMORY_QUESTION)(_tell_memory)


def _tell_memory(_worker: Any) -> dict[str, int | None]:
    """Bytes of main memory that this worker and its decoding processes hold."""
    return {"memory": held_memory()}
