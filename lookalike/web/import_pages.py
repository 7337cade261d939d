"""The pages of imports."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, render_template

from lookalike.web.context import platform

pages = Blueprint("imports", __name__)


@pages.get("/imports")
def imports_page() -> str:
    """Start an import, and see those that there are."""
    return render_template("imports.html", roots=platform().settings.import_roots)


@pages.get("/imports/<uuid:import_id>")
def import_page(import_id: UUID) -> str:
    """One import, live. Raises NotFoundError."""
    name = platform().imports.get(import_id).row.name
    return render_template("import.html", import_id=import_id, name=name)
