"""Wilds against the numbers in its docstring, which are those of `crafter` 1.8.3: hand-made positions, a second
implementation of the vital values, recounts over random play, and what worlds must have."""

import numpy as np
import pytest

from ludus.envs import Bot, Simulator, evaluate_player
from ludus.envs.games import wilds
from tests.envs.games.wilds_desert import (
    ACT,
    COAL,
    DIAMOND,
    FURNACE,
    GOODS,
    GRASS,
    HERE,
    IRON,
    LAVA,
    OUTSIDE,
    PATH,
    PLANT,
    SAND,
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

# what can be collected, placed and made

COLLECT = [
    (TREE, None, "wood", GRASS),
    (STONE, "wood_pickaxe", "stone", PATH),
    (COAL, "wood_pickaxe", "coal", PATH),
    (IRON, "stone_pickaxe", "iron", PATH),
    (DIAMOND, "iron_pickaxe", "diamond", PATH),
]


@pytest.mark.parametrize(("ground", "tool", "good", "leaves"), COLLECT)
def test_collecting_needs_its_tool_and_counts_to_nine(ground, tool, good, leaves):
    sim = desert()
    if tool:
        have(sim, **{name: 1 for name in GOODS[6:] if name != tool})
        ahead(sim, ground)
        assert play(sim, "do") == 0 and held(sim, good) == 0 and sim.records["ground"][0, HERE + 1, HERE] == ground
        have(sim, **{tool: 1})
    for k in range(11):
        ahead(sim, ground)
        assert play(sim, "do") == (k == 0)  # an achievement counts once
        assert held(sim, good) == min(k + 1, 9)
        assert sim.records["ground"][0, HERE + 1, HERE] == leaves


def test_water_is_drunk_and_stays():
    sim = desert(drink=3, thirst=30)
    ahead(sim, WATER)
    assert play(sim, "do", "do") == 1
    assert (sim.records["drink"], sim.records["thirst"]) == (5, 2)
    assert sim.records["ground"][0, HERE + 1, HERE] == WATER


def test_one_search_of_grass_in_ten_finds_a_sapling():
    found = 0
    sim = Simulator("Wilds", 256, seed=2, autoreset="disabled")
    sim.reset()
    sim.records["ground"] = np.where(sim.records["ground"] > 0, GRASS, 0)
    sim.records["life"], sim.records["slot_at"] = 0, 0
    for _ in range(8):
        before = sim.records["goods"][:, 0].copy()
        sim.step(np.full(256, ACT["do"]))
        found += (sim.records["goods"][:, 0] - before).sum()
    assert abs(found - 204.8) < 5 * np.sqrt(2048 * 0.09)


PLACE = [
    ("stone", {"stone": 1}, STONE, {GRASS, SAND, PATH, WATER, LAVA}),
    ("table", {"wood": 2}, TABLE, {GRASS, SAND, PATH}),
    ("furnace", {"stone": 4}, FURNACE, {GRASS, SAND, PATH}),
]


@pytest.mark.parametrize(("what", "price", "result", "places"), PLACE)
def test_placing_costs_and_needs_free_ground(what, price, result, places):
    for ground in range(1, 13):
        sim = desert()
        ahead(sim, ground)
        have(sim, **{name: amount - 1 for name, amount in price.items()})
        assert play(sim, "place_" + what) == 0 and sim.records["ground"][0, HERE + 1, HERE] == ground
        have(sim, **price)
        assert play(sim, "place_" + what) == (ground in places)
        assert sim.records["ground"][0, HERE + 1, HERE] == (result if ground in places else ground)
        assert all(held(sim, name) == (0 if ground in places else amount) for name, amount in price.items())
    sim = desert()
    have(sim, **price)
    put(sim, PLANT, 1, 0)
    assert play(sim, "place_" + what) == 0 and sim.records["ground"][0, HERE + 1, HERE] == SAND


MAKE = [
    ("wood_pickaxe", {"wood": 1}, [TABLE]),
    ("wood_sword", {"wood": 1}, [TABLE]),
    ("stone_pickaxe", {"wood": 1, "stone": 1}, [TABLE]),
    ("stone_sword", {"wood": 1, "stone": 1}, [TABLE]),
    ("iron_pickaxe", {"wood": 1, "coal": 1, "iron": 1}, [TABLE, FURNACE]),
    ("iron_sword", {"wood": 1, "coal": 1, "iron": 1}, [TABLE, FURNACE]),
]


@pytest.mark.parametrize(("tool", "price", "nearby"), MAKE)
def test_tools_need_their_price_and_what_is_beside(tool, price, nearby):
    def bench(without=OUTSIDE):
        sim = desert()
        have(sim, **price)
        for k, ground in enumerate(nearby):
            if ground != without:
                sim.records["ground"][0, HERE - 1, HERE - 1 + 2 * k] = ground
        return sim

    sim = bench()
    assert play(sim, "make_" + tool) == 1 and held(sim, tool) == 1
    assert all(held(sim, good) == 0 for good in price)
    have(sim, **price)
    assert play(sim, "make_" + tool) == 0 and held(sim, tool) == 2
    for good in price:
        sim = bench()
        have(sim, **{good: 0})
        assert play(sim, "make_" + tool) == 0 and held(sim, tool) == 0
    for ground in nearby:
        sim = bench(ground)
        sim.records["ground"][0, HERE - 2, HERE] = ground  # too far away
        assert play(sim, "make_" + tool) == 0 and held(sim, tool) == 0


# moving, day and night


@pytest.mark.parametrize("way", WAYS)
def test_moves_turn_and_go_where_one_can_walk(way):
    down, right = WAYS[way]
    for ground in range(13):
        sim = desert()
        sim.records["ground"][0, HERE + down, HERE + right] = ground
        play(sim, way)
        goes = ground in (GRASS, SAND, PATH, LAVA)
        s = sim.records[0]
        assert (s["row"], s["col"]) == (HERE + down * goes, HERE + right * goes) and s["facing"] == ACT[way]
        assert sim.terminated[0] == (ground == LAVA) and s["health"] == (0 if ground == LAVA else 9)
    sim = desert()
    put(sim, PLANT, down, right)
    play(sim, way)
    assert (sim.records["row"][0], sim.records["col"][0]) == (HERE, HERE)


def test_the_light_of_a_day():
    steps = np.arange(300)
    assert pytest.approx(1 - abs(np.cos(np.pi * (steps / 300 + 0.3))) ** 3, abs=1e-12) == wilds.DAYLIGHT


def test_the_night_hides_the_rim():
    for time, shown in ((60, 63), (209, 15)):
        sim = desert(time=time - 1)
        play(sim, "noop")
        hidden = sim.obs[0, :, :, wilds.HIDDEN]
        assert hidden.sum() == 63 - shown and not hidden[2:5, 2:7].any()
        assert not (sim.obs[0, :, :, : wilds.FACING] & hidden[:, :, None]).any()


# vital values


class Body:
    """Vital values in floats, step by step."""

    def __init__(self):
        self.health = self.food = self.drink = self.energy = 9
        self.hunger = self.thirst = self.fatigue = self.recovery = 0.0
        self.asleep = False

    def step(self, wants_sleep):
        if self.asleep and self.energy == 9:
            self.asleep = False
        if wants_sleep and self.energy < 9:
            self.asleep = True
        pace, felt = (0.5 if self.asleep else 1.0), self.health
        self.hunger, self.thirst = self.hunger + pace, self.thirst + pace
        if self.hunger > 25:
            self.hunger, self.food = 0, max(self.food - 1, 0)
        if self.thirst > 20:
            self.thirst, self.drink = 0, max(self.drink - 1, 0)
        self.fatigue = min(self.fatigue - 1, 0) if self.asleep else self.fatigue + 1
        if self.fatigue < -10:
            self.fatigue, self.energy = 0, min(self.energy + 1, 9)
        if self.fatigue > 30:
            self.fatigue, self.energy = 0, max(self.energy - 1, 0)
        if self.food and self.drink and (self.energy or self.asleep):
            self.recovery += 2 if self.asleep else 1
        else:
            self.recovery -= pace
        if self.recovery > 25:
            self.recovery, self.health = 0, min(self.health + 1, 9)
        if self.recovery < -15:
            self.recovery, self.health = 0, self.health - 1
        if self.health < felt:
            self.asleep = False


@pytest.mark.parametrize("seed", range(6))
def test_hunger_thirst_and_sleep_step_by_step(seed):
    """With food and drink refilled now and then, so that some die early and some late."""
    sim, body, rng = desert(seed), Body(), np.random.default_rng(seed)
    for _ in range(1500):
        action = "sleep" if rng.random() < (0.02, 0.3)[seed % 2] else "noop"
        play(sim, action)
        body.step(action == "sleep")
        s = sim.records[0]
        for name in ("health", "food", "drink", "energy", "asleep"):
            assert s[name] == getattr(body, name), name
        assert sim.terminated[0] == (body.health == 0)
        if sim.terminated[0]:
            break
        if rng.random() < 0.004 * seed:
            sim.records["food"] = sim.records["drink"] = body.food = body.drink = 9


def test_waking_up_rested_is_an_achievement_but_not_waking_up_hurt():
    sim = desert(energy=8)
    assert play(sim, "sleep") == 0 and sim.records["asleep"][0]
    assert play(sim, *["left"] * 10) == 0 and sim.records["col"][0] == HERE  # asleep, actions do nothing
    assert sim.records["energy"][0] == 9 and sim.records["asleep"][0]
    assert play(sim, "left") == 1 and not sim.records["asleep"][0] and sim.records["col"][0] == HERE - 1
    sim = desert(energy=3, asleep=True)
    put(sim, ZOMBIE, 0, 1)
    assert play(sim, "noop") == pytest.approx(-0.7) and sim.records["asleep"][0]
    assert play(sim, "noop") == 0 and not sim.records["asleep"][0]


# worlds and whole games


def reachable(ground):
    """How many cells can be walked to from the middle."""
    free = np.isin(ground, (GRASS, SAND, PATH))
    seen = np.zeros_like(free)
    seen[HERE, HERE], size = True, 0
    while seen.sum() > size:
        size = seen.sum()
        seen[1:] |= seen[:-1]
        seen[:-1] |= seen[1:]
        seen[:, 1:] |= seen[:, :-1]
        seen[:, :-1] |= seen[:, 1:]
        seen &= free
    return size


def test_worlds():
    sim = Simulator("Wilds", 100, seed=11)
    sim.reset()
    grounds = sim.records["ground"]
    assert (grounds[:, 35:38, 35:38] == GRASS).all()
    inside = np.zeros((72, 72), bool)
    inside[4:68, 4:68] = True
    assert ((grounds != OUTSIDE) == inside).all()
    for ground in range(WATER, TABLE):
        assert (grounds == ground).any((1, 2)).mean() >= 0.9, ground
    assert not np.isin(grounds, (TABLE, FURNACE)).any()
    sizes = np.array([reachable(ground) for ground in grounds])
    assert (sizes > 100).all() and (sizes > 600).mean() > 0.9
    assert len({ground.tobytes() for ground in grounds}) == 100
    cows = (sim.records["life"][:, :28] > 0).sum(1)
    assert cows.min() > 0


@pytest.mark.parametrize("kind", ["random", "heuristic"])
def test_rewards_and_records_agree(kind):
    """An independent recount: rewards, achievements, and a map of creatures that matches their list."""
    sim = Simulator("Wilds", 64, seed=4, autoreset="disabled")
    sim.reset()
    bot = Bot(sim, kind, 4)
    for _ in range(400):
        before = sim.records.copy()
        sim.step(bot.act())
        s = sim.records
        gain = s["achieved"].sum(1, dtype=int) - before["achieved"].sum(1, dtype=int)
        expected = gain + (s["health"].astype(int) - before["health"]) / 10
        assert np.allclose(sim.reward, expected, atol=1e-6)
        assert (s["achieved"] >= before["achieved"]).all() and np.isin(s["achieved"], (0, 1)).all()
        assert (sim.terminated == (s["health"] == 0)).all()
        for name in ("health", "food", "drink", "energy"):
            assert ((s[name] >= 0) & (s[name] <= 9)).all()
        games, slots = np.nonzero(s["life"] > 0)
        assert (s["slot_at"][games, s["rows"][games, slots], s["cols"][games, slots]] == slots + 1).all()
        assert (s["slot_at"] > 0).sum() == len(games)
        assert (s["slot_at"][np.arange(64), s["row"], s["col"]] == 0).all()
        sim.reset(mask=sim.terminated)
    assert sim.records["achieved"].any()


def test_the_view_is_the_world_around_the_player():
    sim = Simulator("Wilds", 32, seed=5)
    sim.reset()
    bot = Bot(sim, "heuristic", 5)
    for _ in range(120):
        sim.step(bot.act())
    for s, seen in zip(sim.records, sim.obs, strict=True):
        r, c = s["row"], s["col"]
        ground = s["ground"][r - 3 : r + 4, c - 4 : c + 5]
        shown = seen[:, :, wilds.HIDDEN] == 0
        for k in range(1, 13):
            assert np.array_equal(seen[:, :, k - 1] == 1, (ground == k) & shown)
        things = seen[:, :, wilds.THING : wilds.FACING].sum(2)
        assert np.array_equal(things == 1, (s["slot_at"][r - 3 : r + 4, c - 4 : c + 5] > 0) & shown)
        vitals = seen[:4, :, wilds.VITALS].sum(1)
        assert vitals.tolist() == [s["health"], s["food"], s["drink"], s["energy"]]
        assert seen[:6, :, wilds.CARRIED].sum(1).tolist() == s["goods"][:6].tolist()
        assert seen[:6, :, wilds.TOOLS].sum(1).tolist() == s["goods"][6:].tolist()


def test_the_simple_player_is_better_than_chance():
    means = []
    for kind in ("random", "heuristic"):
        sim = Simulator("Wilds", 64, seed=6, max_episode_steps=1000)
        means.append(evaluate_player(Bot(sim, kind, 6), sim).mean)
    assert means[1] > means[0] + 5
