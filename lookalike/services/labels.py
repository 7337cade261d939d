"""What people write about a picture: title, tags and attributes, checked in one place."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lookalike.services.filters import AttributeName, Number, Tag

MAX_TAGS = 100
MAX_ATTRIBUTES = 100


def _without_nul(value: str) -> str:
    # PostgreSQL cannot store it, and nothing that people write needs it.
    if "\x00" in value:
        raise ValueError("must not hold NUL characters")
    return value


Text: TypeAlias = Annotated[str, AfterValidator(_without_nul)]
WholeNumber: TypeAlias = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""A number that every part of the platform, JavaScript included, keeps exactly."""

AttributeText: TypeAlias = Annotated[Text, StringConstraints(max_length=1000)]
Attributes: TypeAlias = Annotated[
    dict[AttributeName, bool | WholeNumber | Number | AttributeText],
    Field(max_length=MAX_ATTRIBUTES),
]
Tags: TypeAlias = Annotated[list[Tag], Field(max_length=MAX_TAGS)]
Title: TypeAlias = Annotated[Text, StringConstraints(strip_whitespace=True, max_length=500)]


class Labels(BaseModel):
    """Title, tags and attributes for a new picture. Tags are a set: no order, no doubles."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    tags: Tags = []
    attributes: Attributes = {}


class Changes(BaseModel):
    """New title, tags or attributes for a picture; what is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    tags: Tags | None = None
    attributes: Attributes | None = None
