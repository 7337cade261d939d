"""Models over HTTP."""

from __future__ import annotations

from lookalike.services.records import ModelAvailability
from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import ModelAnswer, ModelsAnswer

api = Api("models")


@api.operation("GET /models", "List the models that are known", answer=ModelsAnswer)
def list_models() -> ModelsAnswer:
    """List the models, with whether their weights are here."""
    return ModelsAnswer(models=[_answer(one) for one in platform().embedders.available()])


def _answer(available: ModelAvailability) -> ModelAnswer:
    definition = available.definition
    return ModelAnswer(
        name=definition.name,
        dimensions=definition.dimensions,
        distance=definition.distance,
        recipe=str(definition.recipe),
        weights=available.weights,
        hint=available.hint,
    )
