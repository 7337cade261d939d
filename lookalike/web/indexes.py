"""Indexes over HTTP: build one beside the live one, look, switch, roll back, retire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lookalike.services.filters import Tag
from lookalike.services.models import IndexState, IndexTask, State
from lookalike.services.records import Distance, Storage
from lookalike.services.reindexing.gates import Gate
from lookalike.services.reindexing.lifecycle import Plan, Standing
from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import Failure, StateCounts

api = Api("indexes")

MAX_LABELS = 20


class NewIndex(BaseModel):
    """An index that is to be built beside the live one.

    `storage` is how it keeps vectors; without one, as the setting says. `centred`: subtract the
    mean vector, of the pictures of `library` or of all. `labels` are tags whose pictures belong
    together: a gate checks that they are found no worse than before. `activate`: go live by
    itself when all gates are passed.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    # Not strict: JSON has no enumerations, only their values.
    storage: Storage | None = Field(default=None, strict=False)
    centred: bool = False
    library: str | None = None
    labels: list[Tag] = Field(default=[], max_length=MAX_LABELS)
    activate: bool = False


class Activation(BaseModel):
    """Names of gates that may fail this time."""

    model_config = ConfigDict(extra="forbid", strict=True)

    override: list[str] = Field(default=[], max_length=50)


class GateAnswer(BaseModel):
    """Whether a gate is passed, by what was measured and what is needed."""

    name: str
    passed: bool
    measured: float | None
    needed: float | None
    message: str


class IndexAnswer(BaseModel):
    """An index. `pictures` is how many there are, `images` how far they are in it.

    `task` is what workers are at: `build`, `measure`, `switch` or `retire`. `figures` is what was
    measured at `measured_at`; `gates` is what comes of it.
    """

    id: UUID
    model: str
    recipe: str
    dimensions: int
    distance: Distance
    storage: Storage
    centred: bool
    library: str | None
    labels: list[str]
    state: IndexState
    task: IndexTask | None
    paused: bool
    activate: bool
    error: Failure | None
    message: str | None
    pictures: int
    images: StateCounts
    figures: dict[str, Any] | None
    gates: list[GateAnswer]
    added_at: datetime
    built_at: datetime | None
    live_at: datetime | None
    measured_at: datetime | None


class IndexesAnswer(BaseModel):
    """Every index that there is or was, newest first."""

    indexes: list[IndexAnswer]


@api.operation("GET /indexes", "List indexes with their figures", answer=IndexesAnswer)
def list_indexes() -> IndexesAnswer:
    """List them, newest first, those that are retired too."""
    return IndexesAnswer(indexes=[answer_of(one) for one in platform().reindexing.list()])


@api.operation(
    "POST /indexes",
    "Build an index beside the live one",
    body=NewIndex,
    answer=IndexAnswer,
    status=202,
)
def start_index(body: NewIndex) -> IndexAnswer:
    """Start building; searches go on in the live index."""
    plan = Plan(
        body.model, body.storage, body.centred, body.library, body.labels, switch=body.activate
    )
    return answer_of(platform().reindexing.start(plan))


@api.operation("GET /indexes/<uuid:index_id>", "Show an index", answer=IndexAnswer)
def show_index(index_id: UUID) -> IndexAnswer:
    """Show one index."""
    return answer_of(platform().reindexing.get(index_id))


@api.operation(
    "POST /indexes/<uuid:index_id>/activate",
    "Let searches use an index, or go back to one",
    body=Activation,
    answer=IndexAnswer,
)
def activate_index(index_id: UUID, body: Activation) -> IndexAnswer:
    """Switch to it, unless a gate stops that; the one before stays for a way back."""
    return answer_of(platform().reindexing.activate(index_id, body.override))


@api.operation("POST /indexes/<uuid:index_id>/pause", "Pause a build", answer=IndexAnswer)
def pause_index(index_id: UUID) -> IndexAnswer:
    """Stop after the batch in hand."""
    return answer_of(platform().reindexing.pause(index_id))


@api.operation("POST /indexes/<uuid:index_id>/resume", "Resume a build", answer=IndexAnswer)
def resume_index(index_id: UUID) -> IndexAnswer:
    """Go on where it was paused, or where it failed."""
    return answer_of(platform().reindexing.resume(index_id))


@api.operation("POST /indexes/<uuid:index_id>/measure", "Measure an index anew", answer=IndexAnswer)
def measure_index(index_id: UUID) -> IndexAnswer:
    """Have a worker measure recall, times and bytes."""
    return answer_of(platform().reindexing.measure(index_id))


@api.operation("DELETE /indexes/<uuid:index_id>", "Give up or retire an index", answer=IndexAnswer)
def retire_index(index_id: UUID) -> IndexAnswer:
    """Its vectors go for good; pictures and the live index stay."""
    return answer_of(platform().reindexing.retire(index_id))


def answer_of(standing: Standing) -> IndexAnswer:
    """The API's view of an index."""
    row = standing.row
    return IndexAnswer(
        id=row.id,
        model=row.model,
        recipe=row.recipe,
        dimensions=row.dimensions,
        distance=Distance(row.distance),
        storage=Storage(row.storage),
        centred=row.centred,
        library=row.library,
        labels=row.labels,
        state=IndexState(row.state),
        task=IndexTask(row.task) if row.task else None,
        paused=row.paused,
        activate=row.switch,
        error=Failure(code=row.code, message=row.message or "") if row.code else None,
        message=None if row.code else row.message,
        pictures=standing.pictures,
        images=StateCounts(**{str(state): standing.entries[state] for state in State}),
        figures=row.figures,
        gates=[_gate(one) for one in standing.gates],
        added_at=row.added_at,
        built_at=row.built_at,
        live_at=row.live_at,
        measured_at=row.measured_at,
    )


def _gate(gate: Gate) -> GateAnswer:
    return GateAnswer(
        name=gate.name,
        passed=gate.passed,
        measured=gate.measured,
        needed=gate.needed,
        message=gate.message,
    )
