"""How OpenVINO is told to use this machine's CPU."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lookalike.services.adapters.embedding.openvino_runtime import openvino

BFLOAT16_FLAGS = frozenset({"amx_bf16"})
"""Instructions that multiply bfloat16 fast. OpenVINO computes it without them too, but slower: on a
CPU with avx512_bf16 alone, EfficientNet-Lite1 came to 64 to 83 pictures/s where float32 came to 94
to 114, measured in turns, and the worst of 12 generated pictures to a cosine of 0.994."""


def compiled(model: openvino.Model, precision: str) -> openvino.CompiledModel:
    """The converted model, ready to compute on this CPU.

    One model takes batches of any size: measured, it is as fast as one compiled for its size,
    and rows are the same to the last bit whatever the batch.
    """
    core = openvino.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    options = {
        # A stream for each core, which never waits for another. With one stream on all cores each
        # layer waits for the slowest: while one of two cores was busy with other work, as in an
        # import, that came to 30 to 34 pictures/s, and streams of their own to 46 to 66.
        "PERFORMANCE_HINT": "THROUGHPUT",
        # Decoding threads use the same cores. A pinned thread waits for its core while another
        # idles: unpinned, forward and decoding together came to 31 pictures/s where pinned
        # came to 22, two cores, other programs running.
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": arithmetic(precision, capabilities, cpu_flags()),
    }
    return core.compile_model(model, "CPU", options)


def arithmetic(precision: str, capabilities: Collection[str], flags: Collection[str]) -> str:
    """OpenVINO's word for the setting `precision`: f32 or bf16.

    auto is bf16 only where both OpenVINO's `capabilities` and the CPU's `flags` promise that it
    is fast.
    """
    fast = "BF16" in capabilities and not BFLOAT16_FLAGS.isdisjoint(flags)
    return "bf16" if precision == "bfloat16" or (precision == "auto" and fast) else "f32"


def cpu_flags() -> frozenset[str]:
    """The CPU's instruction sets as Linux names them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(
        word
        for line in lines
        if line.startswith("flags")
        for word in line.partition(":")[2].split()
    )
