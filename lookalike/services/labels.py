"""What people write about a picture: title, tags and attributes, checked in one place."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.services.filters import AttributeName, Named, Number, Tag, Text, WholeNumber

MAX_TAGS = 100

AttributeText: TypeAlias = Annotated[Text, StringConstraints(max_length=1000)]
Attributes: TypeAlias = Annotated[
    dict[AttributeName, bool | WholeNumber | Number | AttributeText], Named
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

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Title | None = None
    tags: Tags | None = None
    attributes: Attributes | None = None
