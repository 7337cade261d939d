"""What `TorchEmbedder`, and `ModelRegistry` of a device, promise beyond their ports.

Without a GPU, one that runs out of memory is stood in for by a network that raises torch's error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike.services.adapters.embedding.batch_limit import GROW_AFTER
from lookalike.services.adapters.embedding.efficientnet import MODELS
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.adapters.embedding.torch_embedder import TorchEmbedder
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.imaging.preparing import prepare
from lookalike.services.records import Pixels
from tests.factories import scene
from tests.small_network import Small, SmallNetwork

pytestmark = pytest.mark.xdist_group("models")

LITE1 = MODELS["efficientnet-lite1"]
with_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU")


@pytest.fixture
def small(tmp_path) -> SmallNetwork:
    return SmallNetwork(tmp_path / "weights.pth")


class Device(Small):
    """Small, with memory for `room` pictures at once. Notes the size of every attempt."""

    def __init__(self, room: int, error: RuntimeError | None = None) -> None:
        super().__init__()
        self.room = room
        self.error = error or torch.OutOfMemoryError("CUDA out of memory.")
        self.attempts: list[int] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.attempts.append(len(pixels))
        if len(pixels) > self.room:
            raise self.error
        return super().forward(pixels)


@pytest.fixture
def crowded(small) -> tuple[TorchEmbedder, Device]:
    """An embedder of 16 pictures a batch, on a device that has room for 5."""
    device = Device(room=5)
    network = replace(small.network, load=lambda _: device)
    return TorchEmbedder(network, "cpu", "auto", 16), device


def test_the_cpu_agrees_with_openvino(models_cache):
    pictures = prepared(LITE1, 5)
    torch_rows = TorchEmbedder(LITE1, "cpu", "auto", 4).embed(pictures)
    openvino_rows = OpenVinoEmbedder(LITE1, "float32", 4, models_cache).embed(pictures)
    assert cosines(torch_rows, openvino_rows).min() >= 0.999


@with_a_gpu
def test_half_precision_on_a_gpu_agrees_with_float32():
    pictures = prepared(LITE1, 64)
    half = TorchEmbedder(LITE1, "cuda", "auto", 32).embed(pictures)
    assert half.dtype == np.float32
    for device in ("cuda", "cpu"):
        single = TorchEmbedder(LITE1, device, "float32", 32).embed(pictures)
        assert 0.997 <= cosines(half, single).min() < 0.9999999


def test_a_named_precision_is_kept(small):
    pictures = prepared(small.network, 3)
    single = TorchEmbedder(small.network, "cpu", "auto", 4).embed(pictures)
    rounded = TorchEmbedder(small.network, "cpu", "bfloat16", 4).embed(pictures)
    assert rounded.dtype == np.float32
    assert 0.99 < cosines(single, rounded).min() < 0.9999999


def test_weights_are_loaded_by_the_first_embedding_and_once_for_many_threads(small):
    subject = TorchEmbedder(small.network, "cpu", "auto", 4)
    assert subject.definition == small.network.definition
    subject.embed([])
    assert small.loads == 0
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(subject.embed, [prepared(small.network, 3)] * 32))
    assert small.loads == 1


def test_batches_are_cut_to_the_limit(small):
    device = Device(room=100)
    subject = TorchEmbedder(replace(small.network, load=lambda _: device), "cpu", "auto", 16)
    subject.embed(prepared(small.network, 3) * 12)
    assert device.attempts == [16, 16, 4]


def test_a_batch_that_does_not_fit_is_cut_and_its_rows_are_the_same(crowded):
    subject, device = crowded
    pictures = prepared(subject, 16)
    rows = subject.embed(pictures)
    assert device.attempts == [16, 8, 4, 4, 4, 4]
    device.room = 100
    alone = np.concatenate([subject.embed([picture]) for picture in pictures])
    assert cosines(rows, alone).min() > 1 - 1e-6


CUBLAS = "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
CUDNN = "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(CUBLAS),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError(CUDNN),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
    ],
    ids=["cublas", "cudnn 8", "cudnn 9", "cuda"],
)
def test_a_batch_is_cut_whoever_finds_no_memory(small, error):
    device = Device(5, error)
    subject = TorchEmbedder(replace(small.network, load=lambda _: device), "cpu", "auto", 16)
    assert subject.embed(prepared(subject, 16)).shape == (16, 8)
    assert device.attempts == [16, 8, 4, 4, 4, 4]


def test_the_smaller_batch_is_remembered_and_grown_after_many_good_ones(crowded):
    subject, device = crowded
    four = prepared(subject, 4)
    subject.embed(four * 4)
    device.attempts.clear()
    subject.embed(four * (GROW_AFTER - 4))
    assert device.attempts == [4] * (GROW_AFTER - 4)
    device.attempts.clear()
    subject.embed(four * 3)
    assert device.attempts == [8, 4, 4, 4]  # tried once, did not fit, and was given up again


def test_a_batch_grows_back_to_its_limit_once_there_is_room(crowded):
    subject, device = crowded
    four = prepared(subject, 4)
    subject.embed(four * 4)
    device.room = 1000
    subject.embed(four * 3 * GROW_AFTER)
    device.attempts.clear()
    subject.embed(four * 16)
    assert device.attempts == [16] * 4


def test_single_pictures_are_no_proof_that_more_would_fit(crowded):
    subject, device = crowded
    four = prepared(subject, 4)
    subject.embed(four * 4)
    for _ in range(2 * GROW_AFTER):
        subject.embed(four[:1])
    device.attempts.clear()
    subject.embed(four * 2)
    assert device.attempts == [4, 4]


def test_no_room_for_one_picture_is_unavailable_until_there_is(crowded):
    subject, device = crowded
    pictures = prepared(subject, 3)
    device.room = 0
    with pytest.raises(UnavailableError, match="not the memory for one picture on cpu"):
        subject.embed(pictures)
    device.room = 5
    assert subject.embed(pictures).shape == (3, 8)


def test_other_troubles_of_a_device_are_unavailable_and_not_tried_in_parts(small):
    class Broken(Device):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            self.attempts.append(len(pixels))
            raise RuntimeError("CUDA error: unspecified launch failure")

    device = Broken(room=0)
    subject = TorchEmbedder(replace(small.network, load=lambda _: device), "cpu", "auto", 4)
    with pytest.raises(UnavailableError, match="could not compute on cpu"):
        subject.embed(prepared(small.network, 3))
    assert device.attempts == [3]


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_damaged_weights_are_told_and_the_next_call_tries_again(content, small):
    file = small.network.weights()
    whole = file.read_bytes()
    file.write_bytes(content)
    subject = TorchEmbedder(small.network, "cpu", "auto", 4)
    with pytest.raises(UnavailableError, match="cannot be read: the file is damaged"):
        subject.embed(prepared(small.network, 3))
    file.write_bytes(whole)
    assert subject.embed(prepared(small.network, 3)).shape == (3, 8)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((32, 32, 3), np.uint8), np.zeros((16, 16, 3), np.float32)],
    ids=["size", "type"],
)
def test_pictures_prepared_for_another_model_are_refused(wrong, small):
    with pytest.raises(ValueError, match="takes uint8 pictures of 16 x 16 x 3"):
        TorchEmbedder(small.network, "cpu", "auto", 4).embed([wrong])


def test_one_picture_does_not_wait_for_the_whole_of_a_long_call(small):
    class Slow(Device):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            time.sleep(0.05)
            return super().forward(pixels)

    network = replace(small.network, load=lambda _: Slow(room=4))
    subject = TorchEmbedder(network, "cpu", "auto", 4)
    one = prepared(network, 1)
    subject.embed(one)
    long_call = threading.Thread(target=subject.embed, args=(one * 80,))
    long_call.start()
    time.sleep(0.1)
    subject.embed(one)
    was_running = long_call.is_alive()
    long_call.join()
    assert was_running


CHOOSING = """
import sys
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.errors import ConfigurationError
try:
    print(type(ModelRegistry("auto", None, None, device=sys.argv[1]).get("efficientnet-lite1")))
except ConfigurationError as error:
    print(error)
print("torch" in sys.modules)
"""
without_signs_of_a_gpu = pytest.mark.skipif(
    any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists(),
    reason="this machine has a GPU's device file",
)


@without_signs_of_a_gpu
@pytest.mark.parametrize(
    ("device", "answer"),
    [
        ("cpu", "OpenVinoEmbedder"),
        ("auto", "OpenVinoEmbedder"),
        ("cuda", "no NVIDIA GPU or driver is found"),
    ],
)
def test_where_nothing_hints_at_a_gpu_torch_is_not_imported(device, answer, tmp_path):
    said, has_torch = choose(device, path=tmp_path)
    assert answer in said
    assert has_torch == "False"


@without_signs_of_a_gpu
@pytest.mark.parametrize(
    ("device", "answer"), [("auto", "OpenVinoEmbedder"), ("cuda", "LOOKALIKE_DEVICE is cuda, but")]
)
def test_where_a_driver_hints_at_a_gpu_torch_decides(device, answer, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    said, has_torch = choose(device, path=tmp_path)
    assert answer in said
    assert "no NVIDIA GPU" not in said
    assert has_torch == "True"


@with_a_gpu
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_is_used_where_there_is_one(device):
    registry = ModelRegistry("auto", None, None, device=device)
    assert isinstance(registry.get("efficientnet-lite1"), TorchEmbedder)


def test_cuda_without_a_gpu_is_told_by_the_first_model_asked_for(small):
    if torch.cuda.is_available():
        pytest.skip("PyTorch finds a GPU")
    registry = ModelRegistry("auto", None, None, {"small": small.network}, device="cuda")
    assert len(registry.available()) == 1
    with pytest.raises(ConfigurationError, match="Set it to cpu or auto"):
        registry.get("small")


def choose(device: str, path: Path) -> list[str]:
    """What a new process answers whose PATH is the folder `path`."""
    done = subprocess.run(
        [sys.executable, "-c", CHOOSING, device],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def prepared(network: Network | TorchEmbedder, count: int) -> list[Pixels]:
    return [prepare(scene(seed), network.definition.recipe) for seed in range(count)]


def cosines(left, right):
    return (left * right).sum(axis=1)
