"""Every setting of Lookalike: one typed field each, with the help that `.env.example` prints.

Values come from the environment (`LOOKALIKE_` in front of the upper-case name) and from a `.env`
file in the working folder. The defaults run the whole platform in one process, on loopback.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lookalike.services.errors import ConfigurationError
from lookalike.services.records import Storage

MEBIBYTE = 1024 * 1024


def _from_json(value: object) -> object:
    # Not left to the library, whose own complaint about bad JSON does not say what is expected.
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError('write a JSON list, such as ["pictures.example"]') from error


def _from_json_object(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError('write a JSON object, such as {"resnet50": "/srv/it.pth"}') from error


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
            description="Requests served at once, in each process. A search takes milliseconds, an "
            "upload holds a thread for as long as it lasts, and most of that is waiting.",
        ),
    ] = 64
    web_processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Web server processes, where gunicorn runs them. Each embeds the pictures "
            "that people search with, so one for every two cores.",
        ),
    ] = 2
    database_url: Annotated[
        str,
        Field(
            repr=False,  # it holds a password
            description="Database, such as postgresql://lookalike:secret@postgres/lookalike. "
            "Empty means SQLite in the data folder.",
        ),
    ] = ""
    broker_url: Annotated[
        str,
        Field(
            repr=False,  # it holds a password
            description="Celery broker, such as redis://:secret@valkey:6379/0. With one, web and "
            "workers are processes of their own, and DATABASE_URL and QDRANT_URL must name "
            "servers too. memory://localhost/ keeps the queue in this process.",
        ),
    ] = "memory://localhost/"
    storage: Annotated[
        Storage,
        Field(
            description="How a new index keeps its vectors, unless it is told otherwise: float32, "
            "or in less memory float16 (a half), int8 (a quarter), turbo (an eighth) or binary (a "
            "thirty-second). The last three have the full vectors too, to score the best again.",
        ),
    ] = Storage.FLOAT32
    qdrant_url: Annotated[
        str,
        Field(
            description="Qdrant server, such as http://qdrant:6333. Empty means the same engine in "
            "this process, with its files in the data folder."
        ),
    ] = ""
    qdrant_api_key: Annotated[
        SecretStr, Field(description="Key that the Qdrant server asks for.")
    ] = SecretStr("")
    qdrant_shards: Annotated[
        int,
        Field(
            ge=1,
            description="Shards of a new collection. As many as the cluster will have nodes, or a "
            "multiple: they can be moved later, not split.",
        ),
    ] = 1
    qdrant_replicas: Annotated[
        int,
        Field(
            ge=1,
            description="Copies of each shard of a new collection, on different nodes. With 2, "
            "searches go on while one node is down.",
        ),
    ] = 1
    qdrant_write_consistency: Annotated[
        int,
        Field(ge=1, description="Copies that must have a write before it counts as done."),
    ] = 1
    qdrant_on_disk: Annotated[
        bool,
        Field(
            description="Keep full vectors of new collections on disk, not in memory. For more "
            "vectors than memory holds, best with STORAGE int8, turbo or binary."
        ),
    ] = False
    qdrant_search_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=60,
            description="Longest wait for the answer to a search. After that it is refused (503), "
            "so that a slow server does not hold every web thread.",
        ),
    ] = 1.5
    qdrant_write_seconds: Annotated[
        float,
        Field(gt=0, le=600, description="Longest wait for the server to have stored a batch."),
    ] = 30
    blob_url: Annotated[
        str,
        Field(
            description="Where pictures are kept: s3://bucket or s3://bucket/folder, or the path "
            "of a folder that every process sees. Empty means the folder blobs in the data folder."
        ),
    ] = ""
    s3_endpoint: Annotated[
        str,
        Field(description="Address of an S3 server that is not Amazon's, such as http://s3:9000."),
    ] = ""
    s3_region: Annotated[str, Field(description="Region of the S3 bucket.")] = "us-east-1"
    s3_access_key: Annotated[str, Field(description="Name of the S3 key.")] = ""
    s3_secret_key: Annotated[SecretStr, Field(description="Secret of the S3 key.")] = SecretStr("")
    model: Annotated[
        str,
        Field(
            description="Model for a new data folder. `lookalike models` lists them. An existing "
            "folder keeps the model that its index was made with."
        ),
    ] = "efficientnet-lite1"
    weights: Annotated[
        dict[str, Path],
        NoDecode,
        BeforeValidator(_from_json_object),
        Field(
            description="Files of weights that you have, by model (JSON object, such as "
            '{"resnet50": "/srv/resnet50-0676ba61.pth"}), in place of those that '
            "`lookalike models pull` fetches."
        ),
    ] = {}
    weights_url: Annotated[
        str,
        Field(
            pattern="^https?://",
            description="Where `lookalike models pull` fetches torchvision's weights, such as a "
            "mirror of your own.",
        ),
    ] = "https://download.pytorch.org/models"
    device: Annotated[
        str,
        Field(
            pattern="^(auto|cpu|cuda)$",
            description="Where the network runs: cpu, cuda (an NVIDIA GPU, in half precision), or "
            "auto, which is cuda where PyTorch finds a GPU.",
        ),
    ] = "auto"
    precision: Annotated[
        str,
        Field(
            pattern="^(auto|float32|bfloat16)$",
            description="Arithmetic of the forward pass. auto is bfloat16 where the CPU has AMX "
            "(about twice as fast, cosine to float32 over 0.997) and float32 elsewhere.",
        ),
    ] = "auto"
    forward_batch: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="Most pictures in one forward pass. Empty means 16 on a CPU, where two "
            "cores stop gaining, and 128 on a GPU, halved where its memory does not hold them.",
        ),
    ] = None
    task_batch: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Pictures in one queued task. Large enough that the queue costs nothing, "
            "small enough that a task ends within seconds. Where a GPU does the work, 256 in all "
            "processes: whoever queues pictures cuts the tasks, and no forward pass is larger than "
            "its task.",
        ),
    ] = 64
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
            description="Largest upload request, all its files together. The one file of an import "
            "has a limit of its own.",
        ),
    ] = 1024 * MEBIBYTE
    max_import_bytes: Annotated[
        int,
        Field(
            ge=1024,
            description="Largest archive, table or list that is sent to be imported. The other "
            "limit is the disk: the data folder must have room for it, twice where `lookalike up` "
            "serves. Workers copy one that is kept in S3 to their folder for temporary files.",
        ),
    ] = 1024 * 1024 * MEBIBYTE
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
    decode_processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that decode pictures, apart from the one that serves, so that a "
            "picture that crashes or hangs a decoder harms nothing else. As many as cores.",
        ),
    ] = 2
    decode_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            description="Longest time to decode one picture. The slowest honest ones (100 "
            "megapixels, AVIF) take a few seconds.",
        ),
    ] = 30
    decode_megabytes: Annotated[
        int,
        Field(
            ge=256,
            description="Most memory of a decoding process, in MB. A picture of 100 megapixels "
            "takes up to 1300.",
        ),
    ] = 2500
    lease_seconds: Annotated[
        float,
        Field(
            ge=1,
            le=3600,
            description="How long after a worker's death others take over what it had in hand. "
            "While it lives it says so three times in this time. The same for all processes.",
        ),
    ] = 30
    sweep_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="How often to look for pictures that a crash or an outage left behind, "
            "and queue them again.",
        ),
    ] = 15
    recall_sample_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=86_400,
            allow_inf_nan=False,
            description="Least seconds between two searches that a process keeps, to measure later "
            "how many of the nearest they found (recall). Of a search, its vector and its filter "
            "are kept, until it was replayed or for a day at most, and no picture. 0 keeps none.",
        ),
    ] = 10
    import_roots: Annotated[
        tuple[Path, ...],
        NoDecode,
        BeforeValidator(_from_json),
        Field(
            description="Folders of the server whose pictures people may import without sending "
            'them (JSON list, such as ["/srv/pictures"]), with all that is below.'
        ),
    ] = ()
    import_buckets: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_from_json),
        Field(
            description="Buckets, or folders of them, that people may import from with the key of "
            'this server (JSON list, such as ["s3://photos/shared"]).'
        ),
    ] = ()
    import_networks: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_from_json),
        Field(
            description="Networks that imports of URLs may fetch from besides the public internet "
            '(JSON list, such as ["10.1.2.0/24"]).'
        ),
    ] = ()
    import_pending: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Pictures of one import that may wait to be indexed. Beyond that it "
            "pauses by itself, so that the queue stays short however large the import is.",
        ),
    ] = 1000
    log_level: Annotated[
        str,
        Field(pattern="^(debug|info|warning|error)$", description="Least severe message to log."),
    ] = "warning"
    log_format: Annotated[
        str,
        Field(
            pattern="^(text|json)$",
            description="text for people, json for log collectors: one object a line, with the "
            "request and task that an event belongs to.",
        ),
    ] = "text"
    metrics_port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description="Port on which a worker process serves its metrics at /metrics, on every "
            "address of the machine. 0 serves none. The web process has them at /metrics.",
        ),
    ] = 0

    def check_reachable(self) -> None:
        """Refuse a host that other machines can reach. Raises ConfigurationError."""
        if not self.allow_remote and not _is_loopback(self.host):
            raise ConfigurationError(
                f"Refusing to listen on {self.host!r}: other machines could reach it, and there "
                "is no log-in yet. Use 127.0.0.1, or set LOOKALIKE_ALLOW_REMOTE=true where "
                "something in front controls access."
            )

    def check_servers(self) -> None:
        """Refuse what several processes cannot share. Raises ConfigurationError."""
        urls = {
            "BROKER": not self.is_embedded,
            "DATABASE": self.database_url,
            "QDRANT": self.qdrant_url,
        }
        if missing := [f"LOOKALIKE_{name}_URL" for name, given in urls.items() if not given]:
            raise ConfigurationError(
                f"Web and workers as processes of their own need servers: set {_listed(missing)}. "
                "For everything in one process, without servers, run `lookalike up`."
            )
        if self.database_url.startswith("sqlite"):
            raise ConfigurationError(
                "LOOKALIKE_DATABASE_URL names a SQLite file, which web and workers as processes of "
                "their own would take turns to lock. Set it to a PostgreSQL database, such as "
                "postgresql://lookalike:secret@postgres/lookalike."
            )

    @property
    def is_embedded(self) -> bool:
        """Whether web, worker and queue live in one process, the owner of the data folder."""
        return self.broker_url.startswith("memory:")

    @property
    def sql_url(self) -> str:
        """The database URL, with SQLite in the data folder filled in."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'lookalike.db'}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with what is given in place of theirs.

    Values that are None count as not given. Raises ConfigurationError that names the setting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "LOOKALIKE_" + "_".join(str(part) for part in first["loc"]).upper()
        problem = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"The setting {name} is wrong: {problem}. See .env.example."
        ) from error


def env_example() -> str:
    """The text of `.env.example`: each setting with its help and default, commented out."""
    blocks = [
        "# Settings of Lookalike. Copy to .env and uncomment what you change.\n"
        "# Written by `make env-example` from lookalike/services/settings.py."
    ]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        text = "" if default in ("", None, SecretStr("")) else _env_value(default)
        blocks.append(f"# {field.description}\n# LOOKALIKE_{name.upper()}={text}")
    return "\n\n".join(blocks) + "\n"


def _env_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else str(value)
