"""Pairs of bfloat16, of which processors make products twice as fast as of float32 (Intel's AVX512_BF16, also on AMD).

NumPy and Numba have no such number, so two of them are an int32, the first in its lower half. What may be done with pairs
is written here in plain Python, and runs anywhere. Where the processor has the instructions, `compile_cpu` calls
`with_instructions` to put them in the place of these functions: LLVM finds the vectors.
"""

from __future__ import annotations

import re
from itertools import count

import numpy as np

FEATURE = "+avx512bf16"
SIXTEEN, ONE = np.uint64(16), np.uint64(1)
HALF, UPPER, NAN = np.uint64(0x7FFF), np.uint64(0xFFFF0000), np.uint64(0x7FC00000)


def pair_of(first, second):
    """Two float32, each rounded to the nearest bfloat16, ties to even, as a pair."""
    return np.uint32(_rounded(first) >> SIXTEEN | _rounded(second)).view(np.int32)


def _rounded(value):
    """The bits of a float32 of which the lower half is zero."""
    bits = np.uint64(np.float32(value).view(np.uint32)) if value == value else NAN
    return bits + HALF + (bits >> SIXTEEN & ONE) & UPPER


def add_products(total, pair, other):
    """total, a float32, and the products of both firsts and of both seconds.

    The instruction takes numbers below 1.2e-38 for zero.
    """
    firsts = _first(pair) * _first(other)
    return total + _second(pair) * _second(other) + firsts


def _first(pair):
    return np.uint32(np.uint64(pair) << SIXTEEN & UPPER).view(np.float32)


def _second(pair):
    return np.uint32(np.uint64(pair) & UPPER).view(np.float32)


# What takes the functions' place. LLVM turns a loop over `add_products` into one over vectors with the function that the
# call's attribute names, which becomes the instruction only then.
VECTORS = "add_products_of_vectors"
_CALLS = {
    "pair_of": ("i32", "alwaysinline"),
    "add_products": ("float", f'memory(none) "vector-function-abi-variant"="_ZGV_LLVM_N16vvv_add_products({VECTORS})"'),
}
_DEFINITIONS = f"""
define i32 @pair_of(float %first, float %second) {{
  %low = fptrunc float %first to bfloat
  %high = fptrunc float %second to bfloat
  %low.bits = bitcast bfloat %low to i16
  %high.bits = bitcast bfloat %high to i16
  %lower = zext i16 %low.bits to i32
  %wide = zext i16 %high.bits to i32
  %upper = shl i32 %wide, 16
  %pair = or i32 %lower, %upper
  ret i32 %pair
}}
define float @add_products(float %total, i32 %pair, i32 %other) noinline nounwind willreturn memory(none) {{
  %totals = insertelement <16 x float> zeroinitializer, float %total, i32 0
  %pairs = insertelement <16 x i32> zeroinitializer, i32 %pair, i32 0
  %others = insertelement <16 x i32> zeroinitializer, i32 %other, i32 0
  %sums = call <16 x float> @{VECTORS}(<16 x float> %totals, <16 x i32> %pairs, <16 x i32> %others)
  %sum = extractelement <16 x float> %sums, i32 0
  ret float %sum
}}
define <16 x float> @{VECTORS}(<16 x float> %totals, <16 x i32> %pairs, <16 x i32> %others) {{
  %a = bitcast <16 x i32> %pairs to <32 x bfloat>
  %b = bitcast <16 x i32> %others to <32 x bfloat>
  %sums = call <16 x float> @llvm.x86.avx512bf16.dpbf16ps.512(<16 x float> %totals, <32 x bfloat> %a, <32 x bfloat> %b)
  ret <16 x float> %sums
}}
declare <16 x float> @llvm.x86.avx512bf16.dpbf16ps.512(<16 x float>, <32 x bfloat>, <32 x bfloat>)
"""


def with_instructions(ir: str) -> str:
    """LLVM code as Numba makes it, in which calls of these functions are the processor's instructions."""
    numbers = count()

    def replaced(call: re.Match[str]) -> str:
        status, name, result, arguments = call.groups()
        kind, attributes = _CALLS[name]
        value = f"%bfloat16.{next(numbers)}"
        return (
            f"{value} = call {kind} @{name}({arguments}) {attributes}\n"
            f"store {kind} {value}, ptr {result}\n{status} = add i32 0, 0"
        )

    # A function of Numba's returns whether it raised, and puts its result where the first argument points to.
    call = rf"(%\S+) = call i32 @\S+?\d({'|'.join(_CALLS)})B\S*\(ptr[^%]*(%\S+), ptr[^,]*, ([^)]*)\)"
    changed = re.sub(call, replaced, ir)
    return ir if changed == ir else changed + _DEFINITIONS
