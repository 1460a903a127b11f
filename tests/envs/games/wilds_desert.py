"""Positions of Wilds made by hand."""

import numpy as np

from ludus.envs import Simulator
from ludus.envs.games import wilds

OUTSIDE, WATER, GRASS, STONE, PATH, SAND, TREE, LAVA, COAL, IRON, DIAMOND, TABLE, FURNACE = range(13)
COW, ZOMBIE, SKELETON, ARROW, PLANT = range(5)
ACT = {name: k for k, name in enumerate(wilds.ACTIONS)}
GOODS = ("sapling", "wood", "stone", "coal", "iron", "diamond", "wood_pickaxe", "stone_pickaxe", "iron_pickaxe",
         "wood_sword", "stone_sword", "iron_sword")  # fmt: skip
WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
HERE = 36  # the row and the column of the player at the start


def desert(seed=1, **fields):
    """The player in a world of sand, where nothing appears by itself, looking down."""
    sim = Simulator("Wilds", 1, seed=seed, autoreset="disabled")
    sim.reset()
    for name in ("life", "slot_at"):
        sim.records[name] = 0
    sim.records["ground"][0, 4:68, 4:68] = SAND
    for name, value in fields.items():
        sim.records[name] = value
    return sim


def have(sim, **goods):
    for name, amount in goods.items():
        sim.records["goods"][0, GOODS.index(name)] = amount


def held(sim, name):
    return sim.records["goods"][0, GOODS.index(name)]


def ahead(sim, ground):
    sim.records["ground"][0, HERE + 1, HERE] = ground


def put(sim, kind, row, col, **fields):
    """A creature so many rows and columns from the player; returns its slot."""
    slot = sum(wilds.SLOTS_OF[:kind])
    while sim.records["life"][0, slot] > 0:
        slot += 1
    values = {"life": wilds.LIFE[kind], "rows": HERE + row, "cols": HERE + col, "clock": 0} | fields
    for name, value in values.items():
        sim.records[name][0, slot] = value
    sim.records["slot_at"][0, HERE + row, HERE + col] = slot + 1
    return slot


def play(sim, *actions):
    """Returns the sum of rewards."""
    total = 0.0
    for action in actions:
        sim.step(np.array([ACT[action]]))
        total += float(sim.reward[0])
    return total
