"""How fast pictures come in, beside the parts that set the pace and beside the tutorial's loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import torch
from PIL import Image

from lookalike.cli.client import Client
from lookalike.cli.embedded import embedded
from lookalike.cli.transfer import Transfer
from lookalike.services.adapters.embedding.efficientnet import MODELS
from lookalike.services.bootstrap import embedders_of
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.preparing import prepare
from lookalike.services.pipeline import batches
from lookalike.services.platform import limits_of
from lookalike.services.ports import Embedder
from lookalike.services.records import Pixels
from lookalike.services.settings import Settings

LOOP_PICTURES = 100


def run(pictures: list[Path], scratch: Path) -> None:
    """Print pictures per second of each, and the two ratios that are promised."""
    settings = Settings(data_dir=scratch)
    embedder = embedders_of(settings).get(settings.model)
    prepared = decode_all(pictures, settings, embedder)
    embedder.embed(prepared[:1])
    decoding = timed_rate(len(pictures), lambda: decode_all(pictures, settings, embedder))
    forward = timed_rate(len(prepared), lambda: forward_all(prepared, embedder))
    whole = import_rate(pictures, settings)
    loop = tutorial_rate(pictures[:LOOP_PICTURES], settings.model)
    slower = min(decoding, forward)
    print(f"decode alone      {decoding:8.1f} pictures/s ({settings.decode_processes} threads)")
    print(f"forward alone     {forward:8.1f} pictures/s (batches of {embedder.forward_batch})")
    print(f"whole import      {whole:8.1f} pictures/s")
    print(f"tutorial's loop   {loop:8.1f} pictures/s (torch float32, one at a time)")
    print(f"import / slower part     {whole / slower:6.2f}  (at least 0.60)")
    print(f"import / tutorial's loop {whole / loop:6.2f}  (at least 2.00)")


def decode_all(pictures: Sequence[Path], settings: Settings, embedder: Embedder) -> list[Pixels]:
    """Decode and prepare every picture, on the threads that an import uses."""
    limits, recipe = limits_of(settings), embedder.definition.recipe

    def work(path: Path) -> Pixels:
        with path.open("rb") as file:
            return prepare(decode(file, limits, settings.thumbnail_side), recipe)

    cut = batches(pictures, work, embedder.forward_batch, settings.decode_processes)
    return [pixels for batch in cut for pixels in batch]


def forward_all(prepared: Sequence[Pixels], embedder: Embedder) -> None:
    """Embed pictures that are decoded already."""
    for start in range(0, len(prepared), embedder.forward_batch):
        embedder.embed(prepared[start : start + embedder.forward_batch])


def import_rate(pictures: list[Path], settings: Settings) -> float:
    """Pictures per second of an import as `lookalike import` does it, all parts loaded before."""
    with embedded(settings, "bench", worker=True) as running:
        transport = httpx.WSGITransport(app=running.web)
        with httpx.Client(transport=transport, base_url="http://localhost") as http:
            Transfer(Client(http), "main", [], lambda _: None).run(pictures[:1])
            transfer = Transfer(Client(http), "main", [], lambda _: None)
            return timed_rate(len(pictures) - 1, lambda: transfer.run(pictures[1:]))


def tutorial_rate(pictures: Sequence[Path], model: str) -> float:
    """Pictures per second of the loop that tutorials show, with the same network."""
    definition = MODELS[model]
    network = definition.build().eval()
    side, recipe = definition.definition.recipe.size, definition.definition.recipe
    mean, deviation = (torch.tensor(part).view(3, 1, 1) for part in (recipe.mean, recipe.deviation))

    def loop() -> None:
        for path in pictures:
            resized = Image.open(path).convert("RGB").resize((side, side))
            flat = torch.frombuffer(bytearray(resized.tobytes()), dtype=torch.uint8)
            pixels = flat.view(side, side, 3).permute(2, 0, 1) / 255
            with torch.inference_mode():
                network(((pixels - mean) / deviation).unsqueeze(0))

    loop()
    return timed_rate(len(pictures), loop)


def timed_rate(count: int, work: Callable[[], object]) -> float:
    """How many of `count` things a second `work` does."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)
