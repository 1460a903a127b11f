"""Frames that are quickly made."""

from dataclasses import replace

import numpy as np

from ludus.agents.pretraining.collect import Collector
from ludus.envs import Bot, Simulator


def collector(game="Breakout", size=16, shuffle=0.0, **options):
    sim = Simulator(game, 4, seed=1, **options)
    return Collector(sim, Bot(sim, "random", 2), size=size, shuffle=shuffle)


def collected(game="Breakout", steps=40, **settings):
    one = collector(game, **settings)
    one.collect(steps)
    return one.frames()


def ordered(frames):
    """The same frames with pictures in the order of their digests."""
    order = np.argsort(frames.digests)
    rows = {name: getattr(frames, name)[order] for name in ("pictures", "planes", "ambiguous", "seen", "digests")}
    return replace(frames, **rows, index=np.argsort(order)[frames.index])
