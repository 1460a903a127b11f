"""Random numbers that are the same on every backend.

A game draws from its own stream: one 64-bit counter that walks in fixed strides and is hashed on the way out (SplitMix64,
Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"). The stream of game number `i` starts at a hash
of `(seed, i)`, so results do not depend on how many games run beside it, on threads, or on the device.

Rules receive the streams as `random` and pass it on to the functions below. Everything is `uint64` arithmetic that wraps,
which plain Python (NumPy scalars), LLVM and CUDA all compute alike.
"""

import numpy as np

GAME, ENGINE, STREAMS = 0, 1, 2  # the game's own stream, and the engine's (sticky actions, choice of level)

STRIDE = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd
PLAYERS = np.uint64(1 << 63)  # no simulator has so many games
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SHIFT_11, SHIFT_27, SHIFT_30, SHIFT_31, SHIFT_32 = (np.uint64(n) for n in (11, 27, 30, 31, 32))
TO_UNIT = 2.0**-53


def mix(x):
    """Hash 64 bits to 64 bits, one to one (Stafford's variant 13, SplitMix64's finaliser)."""
    x = (x ^ (x >> SHIFT_30)) * MIX_1
    x = (x ^ (x >> SHIFT_27)) * MIX_2
    return x ^ (x >> SHIFT_31)


def next_bits(random, stream):
    """Advance one of the streams and return 64 random bits (uint64)."""
    random[stream] += STRIDE
    return mix(random[stream])


def scale(bits, n):
    """Map 64 random bits to 0 .. n-1 by multiplication (Lemire 2019); the bias is below n / 2**32."""
    return np.int64(((bits >> SHIFT_32) * np.uint64(n)) >> SHIFT_32)


def below(random, n):
    """A whole number from 0 to n - 1, each equally likely; 1 <= n < 2**31."""
    return scale(next_bits(random, GAME), n)


def uniform(random):
    """A float64 from [0, 1), a multiple of 2**-53."""
    return np.float64(next_bits(random, GAME) >> SHIFT_11) * TO_UNIT


def chance(random, probability):
    """True with the given probability."""
    return uniform(random) < probability


def start_streams(seed, index):
    """The game's and the engine's first counters for environment `index` under `seed`.

    Works on uint64 scalars inside kernels and on uint64 arrays outside them.
    """
    key = mix(mix(seed) ^ (index * STRIDE))
    return mix(key ^ MIX_1), mix(key ^ MIX_2)


def players_streams(seed, index):
    """Counters of one who plays game `index`, or looks ahead in it: not the game's own, which may have the same seed."""
    return start_streams(seed, index ^ PLAYERS)


def level_stream(level):
    """The game's first counter for an episode of the given level, whichever environment plays it."""
    return mix(mix(np.uint64(level) ^ MIX_2) ^ STRIDE)
