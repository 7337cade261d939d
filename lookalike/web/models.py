"""Models over HTTP."""

from __future__ import annotations

from lookalike.web.api import Api
from lookalike.web.context import platform
from lookalike.web.schemas import ModelsAnswer, model_of

api = Api("models")


@api.operation("GET /models", "List the models that are known", answer=ModelsAnswer)
def list_models() -> ModelsAnswer:
    """List the models, with whether their weights are here."""
    return ModelsAnswer(models=[model_of(one) for one in platform().embedders.available()])
