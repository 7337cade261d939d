"""Settings: each documented, read from the environment, refused by name when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from lookalike.services.errors import ConfigurationError
from lookalike.services.records import Storage
from lookalike.services.settings import Settings, env_example, read_settings

ROOT = Path(__file__).parent.parent.parent

OTHER_VALUES: dict[str, tuple[str, object]] = {
    "data_dir": ("/srv/pictures", Path("/srv/pictures")),
    "cache_dir": ("/var/cache/x", Path("/var/cache/x")),
    "host": ("::1", "::1"),
    "port": ("0", 0),
    "allow_remote": ("true", True),
    "allowed_hosts": ('["a.example", "b.example"]', ("a.example", "b.example")),
    "web_threads": ("4", 4),
    "web_processes": ("4", 4),
    "qdrant_url": ("http://vectors:6333", "http://vectors:6333"),
    "qdrant_api_key": ("key", SecretStr("key")),
    "qdrant_shards": ("3", 3),
    "qdrant_replicas": ("2", 2),
    "qdrant_write_consistency": ("2", 2),
    "storage": ("int8", Storage.INT8),
    "qdrant_on_disk": ("true", True),
    "qdrant_search_seconds": ("0.5", 0.5),
    "qdrant_write_seconds": ("10", 10),
    "blob_url": ("s3://pictures", "s3://pictures"),
    "s3_endpoint": ("http://s3:9000", "http://s3:9000"),
    "s3_region": ("eu-central-1", "eu-central-1"),
    "s3_access_key": ("name", "name"),
    "s3_secret_key": ("secret", SecretStr("secret")),
    "weights": ('{"resnet18": "/srv/r.pth"}', {"resnet18": Path("/srv/r.pth")}),
    "weights_url": ("http://mirror/models", "http://mirror/models"),
    "device": ("cuda", "cuda"),
    "decode_processes": ("4", 4),
    "decode_seconds": ("5", 5),
    "decode_megabytes": ("1000", 1000),
    "sweep_seconds": ("1", 1),
    "lease_seconds": ("5", 5),
    "recall_sample_seconds": ("0.5", 0.5),
    "log_format": ("json", "json"),
    "metrics_port": ("9100", 9100),
    "database_url": ("postgresql+psycopg://db/x", "postgresql+psycopg://db/x"),
    "broker_url": ("redis://queue/0", "redis://queue/0"),
    "model": ("efficientnet-lite0", "efficientnet-lite0"),
    "precision": ("float32", "float32"),
    "forward_batch": ("1", 1),
    "task_batch": ("1024", 1024),
    "max_file_bytes": ("2048", 2048),
    "max_request_bytes": ("4096", 4096),
    "max_import_bytes": ("8192", 8192),
    "max_megapixels": ("1000", 1000),
    "min_side": ("1", 1),
    "thumbnail_side": ("64", 64),
    "import_roots": ('["/srv/in", "/mnt/nas"]', (Path("/srv/in"), Path("/mnt/nas"))),
    "import_buckets": ('["s3://photos/a"]', ("s3://photos/a",)),
    "import_networks": ('["10.1.2.0/24"]', ("10.1.2.0/24",)),
    "import_pending": ("50", 50),
    "log_level": ("debug", "debug"),
}
"""For each setting a text as the environment holds it, and what it means."""

WRONG_VALUES = {
    "port": "65536",
    "allow_remote": "perhaps",
    "allowed_hosts": "a.example",
    "web_threads": "0",
    "precision": "float16",
    "forward_batch": "many",
    "task_batch": "1025",
    "max_file_bytes": "1023",
    "max_request_bytes": "-1",
    "max_import_bytes": "1023",
    "max_megapixels": "0",
    "min_side": "0",
    "thumbnail_side": "63",
    "import_roots": "/srv/in",
    "import_pending": "0",
    "import_buckets": "s3://photos",
    "import_networks": "10.1.2.0/24",
    "log_level": "loud",
    "web_processes": "0",
    "qdrant_shards": "0",
    "qdrant_replicas": "0",
    "qdrant_write_consistency": "0",
    "storage": "int4",
    "qdrant_search_seconds": "0",
    "qdrant_write_seconds": "-1",
    "weights": "resnet18=/srv/r.pth",
    "weights_url": "ftp://mirror/models",
    "device": "tpu",
    "decode_processes": "0",
    "decode_seconds": "0",
    "decode_megabytes": "1",
    "sweep_seconds": "0",
    "lease_seconds": "0",
    "recall_sample_seconds": "-1",
    "log_format": "xml",
    "metrics_port": "70000",
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Away from any `.env`, which settings would read."""
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_tried_here():
    assert set(OTHER_VALUES) == set(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_explains_itself_in_a_sentence(name: str):
    description = Settings.model_fields[name].description
    assert description
    assert description.endswith((".", ")"))


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_setting_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch):
    text, value = OTHER_VALUES[name]
    assert getattr(Settings(), name) != value
    monkeypatch.setenv(f"LOOKALIKE_{name.upper()}", text)
    assert getattr(Settings(), name) == value


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_means_the_default(name: str, monkeypatch: pytest.MonkeyPatch):
    default = getattr(Settings(), name)
    monkeypatch.setenv(f"LOOKALIKE_{name.upper()}", "")
    assert getattr(Settings(), name) == default


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    variable = f"LOOKALIKE_{name.upper()}"
    monkeypatch.setenv(variable, WRONG_VALUES[name])
    with pytest.raises(ConfigurationError, match=variable):
        read_settings()


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOKALIKE_PORT", "1")
    monkeypatch.setenv("LOOKALIKE_HOST", "::1")
    settings = read_settings(port=2, host=None)
    assert (settings.port, settings.host) == (2, "::1")


def test_values_come_from_a_dot_env_file_and_other_names_in_it_do_not_disturb():
    Path(".env").write_text("LOOKALIKE_PORT=4\nLOOKALIKE_FUTURE=1\nOTHER=2\n")
    assert read_settings().port == 4


def test_settings_cannot_be_changed_after_the_fact():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_the_database_is_in_the_data_folder_unless_it_is_named(tmp_path: Path):
    assert Settings(data_dir=tmp_path).sql_url == f"sqlite:///{tmp_path}/lookalike.db"
    assert (
        Settings(data_dir=Path("here")).sql_url
        == f"sqlite:///{Path('here').absolute()}/lookalike.db"
    )
    assert Settings(database_url="postgresql://x/y").sql_url == "postgresql://x/y"


def test_the_example_file_is_what_the_settings_say():
    assert (ROOT / ".env.example").read_text() == env_example()


def test_the_example_file_with_everything_uncommented_is_the_defaults():
    lines = [line for line in env_example().splitlines() if line.startswith("# LOOKALIKE_")]
    assert len(lines) == len(Settings.model_fields)
    Path(".env").write_text("\n".join(line.removeprefix("# ") for line in lines))
    assert Settings() == Settings(_env_file=None)


def test_processes_of_their_own_do_not_share_a_database_file(tmp_path: Path):
    servers = {"broker_url": "redis://broker", "qdrant_url": "http://vectors:6333"}
    given = read_settings(**servers, database_url=f"sqlite:///{tmp_path}/it.db")
    with pytest.raises(ConfigurationError, match="PostgreSQL"):
        given.check_servers()
    read_settings(**servers, database_url="postgresql://db/x").check_servers()
