"""Pairs of bfloat16 in plain Python, compiled, and as the processor's instructions."""

import platform
import re

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ludus.agents.half import half_backward_inputs
from ludus.agents.loops import Loop, _compiled
from ludus.envs import compile_cpu
from ludus.envs.bfloat16 import FEATURE, add_products, pair_of

X86 = platform.machine() in ("x86_64", "AMD64")
FIRST, SECOND = (re.escape(bytes(codes)) for codes in (range(0x02, 0x100, 0x10), range(0x06, 0x80, 0x08)))
VDPBF16PS = re.compile(b"\x62[%b][%b].\x52" % (FIRST, SECOND), re.DOTALL)  # for any registers
numbers = st.floats(width=32, allow_subnormal=False)


def pair_up(first, second, out, start, stop):
    for i in range(start, stop):
        out[i] = pair_of(first[i], second[i])
    return 0


def add_up(totals, pair, others, start, stop):
    """totals (N, 32) += what a pair (1,) makes with others (N, 32)."""
    for i in range(start, stop):
        for j in range(totals.shape[1]):
            totals[i, j] = add_products(totals[i, j], pair[0], others[i, j])
    return 0


def halves(pair):
    return np.array([pair]).view(np.int16)


def bfloat16(value):
    """Its bits, as PyTorch rounds."""
    return torch.tensor([value]).bfloat16().view(torch.int16).numpy()[0]


@given(numbers, numbers)
@example(1 + 2**-8, 1 + 3 * 2**-8)  # both half way: down to an even number, and up to one
@example(float("nan"), float("-inf"))
@example(3.4e38, -0.0)  # becomes infinite
def test_a_pair_is_two_rounded_numbers(first, second):
    low, high = halves(pair_of(np.float32(first), np.float32(second)))
    for bits, value in ((low, first), (high, second)):
        assert bits == bfloat16(value) or (np.isnan(value) and (bits & 0x7FFF) > 0x7F80)


@given(st.integers(-128, 128), *[st.integers(-128, 128)] * 4)
def test_products_are_added(total, a, b, c, d):
    """All of these numbers, and what they come to, are exact."""
    pairs = pair_of(np.float32(a), np.float32(b)), pair_of(np.float32(c), np.float32(d))
    assert add_products(np.float32(total), *pairs) == total + a * c + b * d


@pytest.fixture(params=["as this processor can", "without instructions"])
def processor(request, monkeypatch, tmp_path):
    """What is compiled meanwhile, is compiled anew."""
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compile_cpu, "_engines", {})
    if request.param == "without instructions":
        monkeypatch.setattr(compile_cpu, "FEATURE", "+nothing")
    _compiled.cache_clear()
    yield
    _compiled.cache_clear()


def test_compiled_loops_do_the_same(processor):
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 70, generator=generator)
    first[:3] = torch.tensor([float("nan"), float("inf"), 0.0])
    pairs = torch.zeros(70, dtype=torch.int32)
    Loop(pair_up, first, second, pairs, units=70)()
    expected = torch.stack([first, second], 1).bfloat16()
    assert torch.equal(pairs.view(torch.bfloat16).view(70, 2)[1:], expected[1:])
    assert pairs.view(torch.bfloat16)[0].isnan()
    totals, others = torch.randn(3, 32, generator=generator), torch.randn(3, 64, generator=generator).bfloat16()
    by_hand = totals.double() + (others.double().view(3, 32, 2) * expected[5].double()).sum(-1)
    Loop(add_up, totals, pairs[5:6].clone(), others.view(torch.int32), units=3)()
    assert torch.allclose(totals.double(), by_hand, atol=1e-5)


@pytest.mark.skipif(not X86, reason="the instruction is x86's")
@pytest.mark.parametrize("inputs", [16, 32, 64, 80])
def test_loops_become_the_instruction(inputs):
    """On any x86 processor, for one that has it: for a tile of four rows of up to four vectors."""
    wide = inputs + 16
    shapes = {"slope": (1, 32), "weights": (16, wide), "x": (1, inputs), "pairs": (1, 16), "x_slope": (1, inputs)}
    pairs = ("weights", "pairs")
    buffers = [compile_cpu.Buffer(np.dtype("i4" if name in pairs else "f4"), shape) for name, shape in shapes.items()]
    machine = compile_cpu._Machine()
    machine.name, machine.features = "znver4", FEATURE
    ir = compile_cpu._numba_ir("loop", half_backward_inputs, {}, buffers, checked=False)
    assert not VDPBF16PS.search(machine.compile("loop", ir))
    assert len(VDPBF16PS.findall(machine.compile("loop", machine.loosened(ir)))) >= 4 * min(inputs // 16, 4)
