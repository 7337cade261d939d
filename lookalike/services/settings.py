"""Every setting of Lookalike: one typed field each, with the help that `.env.example` prints.

Values come from the environment (`LOOKALIKE_` in front of the upper-case name) and from a `.env`
file in the working folder. The defaults run the whole platform in one process, on loopback.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MEBIBYTE = 1024 * 1024


def _from_json(value: object) -> object:
    # Not left to the library, whose own complaint about bad JSON does not say what is expected.
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError('write a JSON list, such as ["pictures.example"]') from error


class Settings(BaseSettings):
    """The configuration of one process. Frozen: the same object can be shared by every part."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKALIKE_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    data_dir: Annotated[
        Path,
        Field(description="Folder that holds everything: database, pictures and vectors."),
    ] = Path("data")
    host: Annotated[
        str,
        Field(
            description="Address to listen on. Anything but loopback needs ALLOW_REMOTE, "
            "because there is no log-in yet."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on. 0 picks one.")] = (
        8000
    )
    allow_remote: Annotated[
        bool,
        Field(
            description="Admit a HOST that other machines can reach. Everybody who reaches the "
            "port can then see and delete pictures: put access control in front of it."
        ),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_from_json),
        Field(
            description="Host names, besides loopback, under which browsers may reach the pages "
            '(JSON list, such as ["pictures.example"]). Guards against DNS rebinding.'
        ),
    ] = ()
    web_threads: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Requests served at once. A search takes milliseconds, a slow upload "
            "holds a thread for as long as it lasts.",
        ),
    ] = 16
    database_url: Annotated[
        str,
        Field(description="SQLAlchemy URL. Empty means SQLite in the data folder."),
    ] = ""
    broker_url: Annotated[
        str,
        Field(description="Celery broker. memory://localhost/ keeps the queue in this process."),
    ] = "memory://localhost/"
    model: Annotated[
        str,
        Field(
            description="Model for a new data folder. `lookalike models` lists them. An existing "
            "folder keeps the model that its index was made with."
        ),
    ] = "efficientnet-lite1"
    precision: Annotated[
        str,
        Field(
            pattern="^(auto|float32|bfloat16)$",
            description="Arithmetic of the forward pass. auto is bfloat16 where the CPU has the "
            "instructions (about twice as fast, cosine to float32 over 0.997) and float32 "
            "elsewhere.",
        ),
    ] = "auto"
    forward_batch: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Pictures in one forward pass. 16 is where two cores stop gaining.",
        ),
    ] = 16
    task_batch: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Pictures in one queued task. Large enough that the queue costs nothing, "
            "small enough that a task ends within seconds.",
        ),
    ] = 64
    decode_threads: Annotated[
        int,
        Field(ge=1, le=64, description="Pictures decoded at once while the network computes."),
    ] = 2
    max_file_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Largest picture file. 50 MiB holds any camera's JPEG and HEIC; more is "
            "usually a mistake.",
        ),
    ] = 50 * MEBIBYTE
    max_request_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Largest upload request, all its files together.",
        ),
    ] = 1024 * MEBIBYTE
    max_megapixels: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Most million pixels in a picture. 100 holds today's cameras; decoding one "
            "takes up to 1.3 GB then, one at a time. A small file can claim billions (a bomb).",
        ),
    ] = 100
    min_side: Annotated[
        int,
        Field(
            ge=1,
            description="Smallest side in pixels. Below 16 there is nothing left to compare.",
        ),
    ] = 16
    cache_dir: Annotated[
        Path | None,
        Field(
            description="Folder for networks converted for this machine, which can be made again "
            "at any time. Empty means the folder cache in the data folder."
        ),
    ] = None
    thumbnail_side: Annotated[
        int,
        Field(ge=64, le=2048, description="Longest side of thumbnails in pixels."),
    ] = 512
    log_level: Annotated[
        str,
        Field(pattern="^(debug|info|warning|error)$", description="Least severe message to log."),
    ] = "warning"

    @property
    def sql_url(self) -> str:
        """The database URL, with SQLite in the data folder filled in."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'lookalike.db'}"


def env_example() -> str:
    """The text of `.env.example`: each setting with its help and default, commented out."""
    blocks = [
        "# Settings of Lookalike. Copy to .env and uncomment what you change.\n"
        "# Written by `make env-example` from lookalike/services/settings.py."
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        text = "" if default in ("", None) else _env_value(default)
        blocks.append(f"# {field.description}\n# LOOKALIKE_{name.upper()}={text}")
    return "\n\n".join(blocks) + "\n"


def _env_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else str(value)
