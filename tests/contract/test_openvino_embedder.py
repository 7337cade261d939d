"""What `OpenVinoEmbedder` and `ModelRegistry` promise beyond their ports."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike.services.adapters.embedding.efficientnet import MODELS
from lookalike.services.adapters.embedding.networks import Network
from lookalike.services.adapters.embedding.openvino_cpu import BFLOAT16_FLAGS, arithmetic, cpu_flags
from lookalike.services.adapters.embedding.openvino_embedder import OpenVinoEmbedder
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.errors import UnavailableError
from lookalike.services.imaging.preparing import prepare
from lookalike.services.records import Pixels, Vectors, Weights
from tests.factories import scene
from tests.small_network import SmallNetwork

pytestmark = pytest.mark.xdist_group("models")


@pytest.fixture
def small(tmp_path) -> SmallNetwork:
    return SmallNetwork(tmp_path / "weights.pth")


@pytest.fixture
def cache(tmp_path) -> Path:
    """A cache folder that does not exist yet."""
    return tmp_path / "cache"


@pytest.mark.parametrize("name", MODELS)
def test_float32_agrees_with_torch(name, models_cache):
    assert agreement(name, "float32", models_cache) >= 0.9999


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.skipif(
    BFLOAT16_FLAGS.isdisjoint(cpu_flags()),
    reason="this CPU has no fast bfloat16 instructions (amx_bf16)",
)
def test_bfloat16_agrees_with_torch(name, models_cache):
    assert 0.997 <= agreement(name, "bfloat16", models_cache) < 0.999999


@pytest.mark.parametrize(
    ("precision", "capabilities", "flags", "chosen"),
    [
        ("auto", ["FP32", "BF16"], {"amx_bf16", "avx2"}, "bf16"),
        ("auto", ["FP32", "BF16"], {"avx512_bf16"}, "f32"),
        ("auto", ["FP32", "BF16"], {"avx2", "avx512f"}, "f32"),
        ("auto", ["FP32"], {"amx_bf16"}, "f32"),
        ("auto", ["FP32", "BF16"], set(), "f32"),
        ("float32", ["FP32", "BF16"], {"amx_bf16"}, "f32"),
        ("bfloat16", ["FP32"], {"avx2"}, "bf16"),
    ],
)
def test_auto_is_bfloat16_only_where_it_is_fast(precision, capabilities, flags, chosen):
    assert arithmetic(precision, capabilities, flags) == chosen


def test_weights_are_loaded_by_the_first_embedding_and_once_for_many_threads(small):
    subject = embedder(small.network)
    assert subject.definition == small.network.definition
    subject.embed([])
    assert small.loads == 0
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(subject.embed, [prepared(small.network)] * 32))
    assert small.loads == 1


def test_a_later_start_converts_nothing_and_gives_the_same_rows(small, cache):
    first = embed(small.network, cache)
    np.testing.assert_array_equal(embed(small.network, cache), first)
    assert small.loads == 1


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten", "one bit of the weights"])
def test_a_damaged_cache_is_rebuilt(damage, small, cache):
    whole_rows = embed(small.network, cache)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    convolution = small.network.build().convolution.weight.detach().numpy().tobytes()
    weights = whole.index(convolution)
    damaged = {
        "emptied": b"",
        "cut": whole[: len(whole) // 2],
        "overwritten": b"x" * len(whole),
        "one bit of the weights": whole[:weights]
        + bytes([whole[weights] ^ 1])
        + whole[weights + 1 :],
    }
    file.write_bytes(damaged[damage])
    before = small.loads
    np.testing.assert_array_equal(embed(small.network, cache), whole_rows)
    np.testing.assert_array_equal(embed(small.network, cache), whole_rows)
    assert small.loads == before + 1
    assert list(cache.iterdir()) == [file]


def test_other_weights_are_converted_anew(small, cache, tmp_path):
    other = SmallNetwork(tmp_path / "other.pth", seed=1)
    rows = embed(small.network, cache)
    assert cosines(embed(other.network, cache), rows).max() < 0.99
    assert other.loads == 1


def test_a_cache_that_cannot_be_written_is_done_without(small, cache):
    cache.write_text("a file where the folder should be")
    assert embed(small.network, cache).shape == (3, 8)


def test_missing_weights_say_how_to_get_them(small):
    registry = ModelRegistry("auto", 4, None, {"small": small.without_weights})
    (listed,) = registry.available()
    assert listed.weights is Weights.MISSING
    assert "pip install small-weights" in listed.hint
    with pytest.raises(UnavailableError, match="pip install small-weights"):
        registry.get("small")
    with pytest.raises(UnavailableError, match="pip install small-weights"):
        embed(small.without_weights)


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_damaged_weights_are_told_and_the_next_call_tries_again(content, small):
    file = small.network.weights()
    whole = file.read_bytes()
    file.write_bytes(content)
    subject = embedder(small.network)
    with pytest.raises(UnavailableError, match="cannot be read: the file is damaged"):
        subject.embed(prepared(small.network))
    file.write_bytes(whole)
    assert subject.embed(prepared(small.network)).shape == (3, 8)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((32, 32, 3), np.uint8), np.zeros((16, 16, 3), np.float32)],
    ids=["size", "type"],
)
def test_pictures_prepared_for_another_model_are_refused(wrong, small):
    with pytest.raises(ValueError, match="takes uint8 pictures of 16 x 16 x 3"):
        embedder(small.network).embed([wrong])


def test_one_picture_does_not_wait_for_the_whole_of_a_long_call(models_cache):
    network = MODELS["efficientnet-lite1"]
    subject = OpenVinoEmbedder(network, "auto", 4, models_cache)
    one = prepared(network)[:1]
    subject.embed(one)
    long_call = threading.Thread(target=subject.embed, args=(one * 80,))
    long_call.start()
    time.sleep(0.1)
    subject.embed(one)
    was_running = long_call.is_alive()
    long_call.join()
    assert was_running


def test_a_first_start_sends_nothing_prints_nothing_and_writes_only_into_its_cache(tmp_path):
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    program = f"""
import sys, time
def watch(event, arguments):
    if event.startswith("socket."):
        print("network:", event, arguments, flush=True)
sys.addaudithook(watch)
import numpy as np
from pathlib import Path
from lookalike.services.adapters.embedding.registry import ModelRegistry
embedder = ModelRegistry("auto", 4, Path({str(cache)!r})).get("efficientnet-lite1")
embedder.embed([np.zeros((240, 240, 3), np.uint8)])
time.sleep(1)  # reports would be sent by a thread
"""
    environment = {"HOME": str(home), "TMPDIR": str(home), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert list(home.iterdir()) == []
    assert [file.name for file in cache.iterdir()] == ["efficientnet-lite1.zip"]


def test_looking_at_the_models_imports_neither_torch_nor_openvino():
    program = """
import sys
from lookalike.services.adapters.embedding.registry import ModelRegistry
registry = ModelRegistry("auto", 4, None)
registry.available()
registry.get("efficientnet-lite1").definition
print(sorted({"torch", "openvino"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux schedules threads by themselves")
@pytest.mark.parametrize("background", [True, False])
def test_only_in_the_background_does_it_compute_where_nothing_else_wants_to(
    background: bool, models_cache
):
    program = f"""
import os
import numpy as np
from pathlib import Path
from lookalike.services.adapters.embedding.registry import ModelRegistry
registry = ModelRegistry("auto", 4, Path({str(models_cache)!r}), background={background})
registry.get("efficientnet-lite0").embed([np.zeros((224, 224, 3), np.uint8)] * 8)
threads = map(int, os.listdir("/proc/self/task"))
print(os.SCHED_IDLE in {{os.sched_getscheduler(one) for one in threads}})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{background}\n"


def embedder(network: Network, cache: Path | None = None) -> OpenVinoEmbedder:
    return OpenVinoEmbedder(network, "float32", 4, cache)


def embed(network: Network, cache: Path | None = None) -> Vectors:
    """The rows of three pictures, as a new process would compute them."""
    return embedder(network, cache).embed(prepared(network))


def prepared(network: Network, count: int = 3) -> list[Pixels]:
    return [prepare(scene(seed), network.definition.recipe) for seed in range(count)]


def agreement(name: str, precision: str, cache: Path) -> float:
    """The smallest cosine between a picture's row and what torch computes in float32."""
    network = MODELS[name]
    if network.find_weights() is None:
        pytest.skip(network.hint)
    pictures = prepared(network, 12)
    recipe = network.definition.recipe
    pixels = (np.stack(pictures) / 255 - recipe.mean) / recipe.deviation
    channels_first = torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float()
    reference = torch.nn.functional.normalize(network.build()(channels_first)).numpy()
    return float(
        cosines(OpenVinoEmbedder(network, precision, 16, cache).embed(pictures), reference).min()
    )


def cosines(left, right):
    return (left * right).sum(axis=1)
