"""The page for administrators. All that it shows and does, the API does too."""

from __future__ import annotations

from flask import Blueprint, render_template

from lookalike.services.records import Storage
from lookalike.web.context import platform

pages = Blueprint("admin", __name__)

STORAGES = {
    Storage.FLOAT32: "4 bytes a number",
    Storage.FLOAT16: "2 bytes a number",
    Storage.INT8: "1 byte a number, the best scored again",
    Storage.TURBO: "a few bits a number, the best scored again",
    Storage.BINARY: "1 bit a number, the best scored again",
}
"""What each storage keeps, for people who choose one."""


@pages.get("/admin")
def admin_page() -> str:
    """Work in hand, indexes, failures, recall."""
    settings = platform().settings
    return render_template(
        "admin.html",
        storages=STORAGES,
        storage=settings.storage,
        sample_seconds=settings.recall_sample_seconds,
    )
