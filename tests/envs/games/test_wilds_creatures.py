"""Creatures of Wilds, their blows and arrows, and plants, in hand-made positions."""

import numpy as np
import pytest

from ludus.envs.games import wilds
from tests.envs.games.wilds_desert import (
    ACT,
    ARROW,
    COW,
    FURNACE,
    GRASS,
    HERE,
    PATH,
    PLANT,
    SKELETON,
    STONE,
    TABLE,
    TREE,
    WATER,
    WAYS,
    ZOMBIE,
    ahead,
    desert,
    have,
    held,
    play,
    put,
)


@pytest.mark.parametrize(("sword", "damage"), [(None, 1), ("wood_sword", 2), ("stone_sword", 3), ("iron_sword", 5)])
@pytest.mark.parametrize(("kind", "life"), [(COW, 3), (ZOMBIE, 5), (SKELETON, 3)])
def test_blows(sword, damage, kind, life):
    sim = desert(food=2, hunger=20)
    if sword:
        have(sim, **{sword: 1})
    sim.records["ground"][0, HERE + 1, HERE - 1 : HERE + 2] = STONE  # so that it stays where it is
    sim.records["ground"][0, HERE + 2, HERE] = STONE
    slot = put(sim, kind, 1, 0, clock=100)
    blows = -(-life // damage)
    assert play(sim, *["do"] * (blows - 1)) == 0
    assert sim.records["life"][0, slot] == life - damage * (blows - 1)
    assert play(sim, "do") == 1
    assert sim.records["life"][0, slot] == 0 and sim.records["slot_at"].sum() == 0
    assert sim.records["food"][0] == (8 if kind == COW else 2)


def test_a_zombie_hits_for_two_and_rests_five_steps():
    sim = desert()
    for down, right in WAYS.values():
        sim.records["ground"][0, HERE + 2 * down, HERE + 2 * right] = STONE
    sim.records["ground"][0, HERE - 1 : HERE + 2 : 2, HERE - 1 : HERE + 2 : 2] = STONE
    put(sim, ZOMBIE, 0, 1)  # walled in beside the player
    rewards = [round(play(sim, "noop"), 3) for _ in range(14)]
    assert rewards == [-0.2, 0, 0, 0, 0, 0] * 2 + [-0.2, 0]


def test_zombies_come():
    sim = desert()
    put(sim, ZOMBIE, 0, 7)
    play(sim, *["noop"] * 12)
    assert abs(sim.records["cols"][0, 28] - HERE) + abs(sim.records["rows"][0, 28] - HERE) <= 2


def test_skeletons_shoot_along_the_longer_way_and_reload():
    sim = desert()
    sim.records["ground"][0, HERE - 1 : HERE + 2, HERE + 3 : HERE + 7] = STONE
    sim.records["ground"][0, HERE, HERE + 3 : HERE + 6] = WATER  # arrows fly over it, skeletons do not walk there
    skeleton, flights, hurt = put(sim, SKELETON, 0, 5), [], 0
    sim.records["ground"][0, HERE, HERE + 5] = PATH
    for _ in range(60):
        sim.records["health"] = 9
        hurt += play(sim, "noop") < 0
        s = sim.records[0]
        arrows = s["life"][42:50] > 0
        assert (s["facing_of"][42:50][arrows] == ACT["left"]).all()
        flights.append(s["clock"][skeleton] == 4)
        assert (s["rows"][skeleton], s["cols"][skeleton]) == (HERE, HERE + 5)
    shots = np.flatnonzero(flights)
    assert len(shots) > 5 and np.diff(shots).min() >= 4
    assert hurt >= len(shots) - 2


@pytest.mark.parametrize("way", WAYS)
def test_arrows_fly_hit_and_break(way):
    down, right = WAYS[way]
    sim = desert()
    arrow = put(sim, ARROW, -3 * down, -3 * right, facing_of=ACT[way])
    assert play(sim, "noop", "noop") == 0 and sim.records["life"][0, arrow] == 1
    assert play(sim, "noop") == pytest.approx(-0.2) and sim.records["life"][0, arrow] == 0
    for ground, left in ((TABLE, PATH), (FURNACE, PATH), (STONE, STONE), (TREE, TREE)):
        put(sim, ARROW, 2 * down, 2 * right, facing_of=ACT[way])
        sim.records["ground"][0, HERE + 3 * down, HERE + 3 * right] = ground
        play(sim, "noop")
        assert sim.records["ground"][0, HERE + 3 * down, HERE + 3 * right] == left
        assert sim.records["life"][0, arrow] == 0


def test_plants_ripen_and_are_eaten():
    sim = desert(food=4)
    ahead(sim, GRASS)
    have(sim, sapling=1)
    assert play(sim, "place_plant") == 1 and held(sim, "sapling") == 0
    plant = sum(wilds.SLOTS_OF[:PLANT])
    assert play(sim, "do") == 0 and sim.records["life"][0, plant] == 1
    sim.records["clock"][0, plant] = 300
    assert play(sim, "do") == 0  # 300 steps old, which is not yet ripe; one more follows
    assert sim.obs[0, 4, 4, wilds.PLANTS + 1] == 1
    food = sim.records["food"][0]
    assert play(sim, "do") == 1 and sim.records["food"][0] == food + 4 and sim.records["clock"][0, plant] == 1
    put(sim, COW, 2, 0)
    for row, col in ((2, 1), (2, -1), (3, 0)):
        sim.records["ground"][0, HERE + row, HERE + col] = STONE
    play(sim, "noop")
    assert sim.records["life"][0, plant] == 0


def test_saplings_grow_on_grass_only():
    sim = desert()
    have(sim, sapling=1)
    assert play(sim, "place_plant") == 0 and held(sim, "sapling") == 1
