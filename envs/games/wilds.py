"""Wilds: drink, eat, sleep, gather, build tools, fight for your life, and find diamonds.

Description
    A world of 64 x 64 cells of grass, woods, lakes with beaches, and mountains with caves, ores and lava. Whoever faces a
    thing can use it (`do`): fell a tree, drink, mine, hit a creature, eat a cow or a ripe plant, and search grass for a
    sapling (1 in 10). Things that are carried are counted up to 9.

    Mining stone and coal needs a wooden pickaxe, iron a stone pickaxe, diamonds an iron pickaxe. A table takes 2 wood, a
    furnace 4 stone. Beside a table (in the 8 cells around the player), a wooden pickaxe or sword takes 1 wood, one of
    stone 1 wood and 1 stone; beside a table and a furnace, one of iron takes 1 wood, 1 coal and 1 iron. Stones can be
    laid anywhere that is free, on water and lava too; saplings on grass. A plant is ripe after 300 steps, if no creature
    stands beside it meanwhile.

    Health, food, drink and energy go from 0 to 9. Food falls every 26 steps, drink every 21, energy every 31; asleep the
    first two half as fast, and energy rises every 11. If none of them is 0, health rises every 26 steps (13 asleep), else
    it falls every 16 (31). Sleep lasts until energy is 9, or until one is hurt. A cow gives 6 food, a ripe plant 4.

    Zombies on the grass, most at night, hit for 2 (for 7 who sleeps) and rest 5 steps. Skeletons on paths underground
    keep their distance and shoot arrows that take 2. Zombies have 5 health, skeletons and cows 3; a blow takes 1, with a
    sword of wood 2, of stone 3, of iron 5. A day has 300 steps; at night only what is near can be seen.

Actions
    0 noop, 1 left, 2 right, 3 up, 4 down, 5 do, 6 sleep, 7 place_stone, 8 place_table, 9 place_furnace, 10 place_plant,
    11 make_wood_pickaxe, 12 make_stone_pickaxe, 13 make_iron_pickaxe, 14 make_wood_sword, 15 make_stone_sword,
    16 make_iron_sword. What is not possible does nothing; a move against an obstacle turns. Asleep, all do nothing.

Observation
    Planes, 7 x 9, the player in the middle. The ground: `water`, `grass`, `stone`, `path`, `sand`, `tree`, `lava`,
    `coal`, `iron`, `diamond`, `table`, `furnace`. Upon it: `cow`, `zombie`, `skeleton`, `arrow_left`, `arrow_right`,
    `arrow_up`, `arrow_down`, `plant`, `ripe`. `facing`: the cell in front of the player. `hidden`: cells in the dark, of
    which nothing else is shown. `asleep`: everywhere or nowhere. Counters fill as many cells of a row, from the left:
    `vitals` has rows for health, food, drink, energy and daylight (in ninths), `goods` for saplings, wood, stone, coal,
    iron and diamonds, `tools` for pickaxes of wood, stone and iron and swords of wood, stone and iron.

Start
    A new world; the player in its middle, on grass, in the morning, with empty hands and 9 of each vital value.

Reward
    +1 for each of 22 achievements when it is reached first in an episode, and 0.1 for each point of health won or lost.
    They are: collect coal, diamond, drink, iron, sapling, stone, wood; defeat a skeleton, a zombie; eat a cow, a plant;
    make each of six tools; place furnace, plant, stone, table; wake up rested.

Termination
    Health is 0. Who steps into lava dies.

Truncation
    None, unless `max_episode_steps` is given; the original's limit is 10,000.

Arguments
    The engine's: see `ludus.make_vec`.

Rules from
    Hafner 2021, "Benchmarking the spectrum of agent capabilities", and the package `crafter` 1.8.3. Where the rules
    differ: worlds come from value noise instead of simplex noise; zombies, skeletons and cows appear anywhere in reach
    (up to 17 steps from the player) instead of being balanced in blocks of 12 x 12 cells, and zombies and skeletons that
    get out of reach vanish; there are at most 28 cows, 8 zombies, 6 skeletons, 8 arrows and 10 plants; two achievements
    in one step count as two; what was killed does nothing more; lava kills even whoever would recover in that step; the
    night hides the rim of the view instead of blurring it, and daylight is among the counters that are observed.

Version history
    1: first release.
"""

import math

from ..canvas import ellipse, fill, rect, triangle
from ..exact import cos
from ..game import Game, state
from ..rng import below, chance

WORLD, MARGIN = 64, 4  # cells of the margin hold OUTSIDE, so that views need not look where the world ends
SIDE, MIDDLE = WORLD + 2 * MARGIN, MARGIN + WORLD // 2
BLOCK = 5  # cells of the finest lattice that every place depends on
ROWS, COLS = 7, 9  # of the view
UP_TO, REACH = 9, 17  # the most of anything; the most steps from the player at which creatures live
DAY = 300
NIGHTS = tuple(abs(cos(math.pi * (step / DAY + 0.3))) for step in range(DAY))
DAYLIGHT = tuple(1.0 - night * night * night for night in NIGHTS)  # by the step of the day, from 0 to 1

ACTIONS = (
    "noop", "left", "right", "up", "down", "do", "sleep", "place_stone", "place_table", "place_furnace", "place_plant",
    "make_wood_pickaxe", "make_stone_pickaxe", "make_iron_pickaxe", "make_wood_sword", "make_stone_sword",
    "make_iron_sword",
)  # fmt: skip
NOOP, LEFT, RIGHT, UP, DOWN, DO, SLEEP, PLACE_STONE, PLACE_TABLE, PLACE_FURNACE, PLACE_PLANT, MAKE = range(12)
ROWS_OF, COLS_OF = (0, 0, 0, -1, 1), (0, -1, 1, 0, 0)  # what each direction adds

OUTSIDE, WATER, GRASS, STONE, PATH, SAND, TREE, LAVA, COAL, IRON, DIAMOND, TABLE, FURNACE = range(13)
WALKABLE = (0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0)
COW, ZOMBIE, SKELETON, ARROW, PLANT = range(5)
SLOTS_OF = (28, 8, 6, 8, 10)  # of each kind
FIRST = (0, 28, 36, 42, 50, 60)  # the first slot of each kind, and the end
KIND_OF = tuple(kind for kind in range(5) for _ in range(SLOTS_OF[kind]))  # by slot
LIFE = (3, 5, 3, 1, 1)
REST, RELOAD, RIPE = 5, 4, 301

SAPLINGS, WOOD, STONES, COALS, IRONS, DIAMONDS, PICKAXE, SWORD = 0, 1, 2, 3, 4, 5, 6, 9  # what is carried
GOOD_OF = (-1, -1, SAPLINGS, STONES, -1, -1, WOOD, -1, COALS, IRONS, DIAMONDS, -1, -1)  # what each ground gives
TOOL_FOR = (-1, -1, -1, PICKAXE, -1, -1, -1, -1, PICKAXE, PICKAXE + 1, PICKAXE + 2, -1, -1)  # and what it needs

(GOT_COAL, GOT_DIAMOND, DRANK, GOT_IRON, GOT_SAPLING, GOT_STONE, GOT_WOOD, BEAT_SKELETON, BEAT_ZOMBIE, ATE_COW, ATE_PLANT,
 MADE, PLACED_STONE, PLACED_TABLE, PLACED_FURNACE, PLACED_PLANT, WOKE_UP) = (*range(12), *range(17, 22))  # fmt: skip
GOT = (GOT_SAPLING, GOT_WOOD, GOT_STONE, GOT_COAL, GOT_IRON, GOT_DIAMOND)  # MADE to MADE + 5 are the tools

THING, ARROWS, PLANTS, FACING, HIDDEN, ASLEEP, VITALS, CARRIED, TOOLS = 12, 15, 19, 21, 22, 23, 24, 25, 26
PLANES = (
    "water", "grass", "stone", "path", "sand", "tree", "lava", "coal", "iron", "diamond", "table", "furnace",
    "cow", "zombie", "skeleton", "arrow_left", "arrow_right", "arrow_up", "arrow_down", "plant", "ripe",
    "facing", "hidden", "asleep", "vitals", "goods", "tools",
)  # fmt: skip

State = state(
    ground="(72,72)i1",
    slot_at="(72,72)i1",  # the slot of the creature or plant there, plus 1; 0: none
    life="(60,)i1",  # of what is in each slot; 0: it is free
    rows="(60,)i1",
    cols="(60,)i1",
    facing_of="(60,)i1",  # where arrows fly
    clock="(60,)i2",  # a zombie's rest, a skeleton's time to reload, a plant's age
    row="i1",
    col="i1",
    facing="i1",
    asleep="?",
    health="i1",
    food="i1",
    drink="i1",
    energy="i1",
    hunger="i1",  # in half steps, as are thirst and recovery: sleep halves them
    thirst="i1",
    fatigue="i1",
    recovery="i1",
    felt="i1",  # health when the player last took notice
    goods="(12,)i1",
    achieved="(22,)i1",
    achievements="i1",
    time="i4",
)


def reset(s, random):
    make_world(s, random)
    s.row, s.col, s.facing = MIDDLE, MIDDLE, DOWN
    s.health, s.food, s.drink, s.energy, s.felt = UP_TO, UP_TO, UP_TO, UP_TO, UP_TO
    for _ in range(2 * SLOTS_OF[COW]):
        row, col = MARGIN + below(random, WORLD), MARGIN + below(random, WORLD)
        if s.ground[row, col] == GRASS and s.slot_at[row, col] == 0 and steps_away(s, row, col) > 3:
            add(s, COW, row, col)


def make_world(s, random):
    key = below(random, 1 << 30)
    for top in range(0, WORLD, BLOCK):
        for left in range(0, WORLD, BLOCK):
            make_block(s, key, top, left, random)


def make_block(s, key, top, left, random):
    """A block lies in one cell of the four lattices that every place depends on, so that their corners are taken once."""
    col, row = left // (3 * BLOCK), top // (3 * BLOCK)
    lake, mountain = corners(key, 0, col, row), corners(key, 1, col, row)
    lake_detail = corners(key, 2, left // BLOCK, top // BLOCK)
    mountain_detail = corners(key, 3, left // BLOCK, top // BLOCK)
    for row in range(top, min(top + BLOCK, WORLD)):
        for col in range(left, min(left + BLOCK, WORLD)):
            right, down = col % 15 / 15.0, row % 15 / 15.0
            fine_right, fine_down = col % BLOCK / 5.0, row % BLOCK / 5.0
            wet = blend(lake, right, down) + 0.15 * blend(lake_detail, fine_right, fine_down)
            high = (blend(mountain, right, down) + 0.3 * blend(mountain_detail, fine_right, fine_down)) / 1.3
            s.ground[MARGIN + row, MARGIN + col] = make_ground(key, float(col), float(row), wet, high, random)


def make_ground(key, x, y, wet, high, random):
    """Meadows around the start, elsewhere mountains, lakes with beaches, and grassland."""
    across, down = x - WORLD // 2, y - WORLD // 2
    start = 4.0 - math.sqrt(across * across + down * down)
    if start > -8.0:
        start += 2.0 * noise(key, 4, x / 3.0, y / 3.0)
    start = 0.5 + 0.5 * start / math.sqrt(4.0 + start * start)  # from 0 to 1
    if start > 0.5:
        return GRASS
    wet -= 2.0 * start
    high -= 4.0 * start + 0.3 * wet
    if high > 0.15:
        return make_mountain(key, x, y, high, random)
    if 0.25 < wet <= 0.35 and noise(key, 5, x / 9.0, y / 9.0) > -0.2:
        return SAND
    if wet > 0.3:
        return WATER
    return TREE if noise(key, 6, x / 7.0, y / 7.0) > 0.0 and chance(random, 0.2) else GRASS


def make_mountain(key, x, y, mountain, random):
    if mountain > 0.3 and noise(key, 7, x / 7.0, y / 7.0) > 0.3:
        return PATH  # a cave
    if noise(key, 8, x / 1.5, y / 15.0) > 0.6 or noise(key, 9, x / 15.0, y / 1.5) > 0.6:
        return PATH  # a tunnel
    if noise(key, 10, x / 8.0, y / 8.0) > 0.0 and chance(random, 0.15):
        return COAL
    if noise(key, 11, x / 6.0, y / 6.0) > 0.45 and chance(random, 0.25):
        return IRON
    if mountain > 0.18 and chance(random, 0.006):
        return DIAMOND
    return LAVA if mountain > 0.3 and noise(key, 12, x / 5.0, y / 5.0) > 0.45 else STONE


def noise(key, layer, x, y):
    """Value noise from -1 to 1: random values at whole numbers, smoothly blended in between."""
    col, row = int(x), int(y)
    return blend(corners(key, layer, col, row), x - col, y - row)


def corners(key, layer, col, row):
    """The values at the corners of a lattice cell: top left, top right, bottom left, bottom right."""
    first = key + layer * 1013904223 + row * 668265263 + col * 374761393
    below_it = first + 668265263
    return corner(first), corner(first + 374761393), corner(below_it), corner(below_it + 374761393)


def blend(values, right, down):
    right, down = right * right * (3.0 - 2.0 * right), down * down * (3.0 - 2.0 * down)
    top = values[0] * (1.0 - right) + values[1] * right
    bottom = values[2] * (1.0 - right) + values[3] * right
    return top * (1.0 - down) + bottom * down


def corner(number):
    """A hash, as a float from -1 to 1; all within 63 bits."""
    number = number & 0x7FFFFFFF
    number = ((number ^ (number >> 15)) * 739982445) & 0x7FFFFFFF
    number = ((number ^ (number >> 12)) * 695872825) & 0x7FFFFFFF
    return (number ^ (number >> 15)) * (2.0 / 0x7FFFFFFF) - 1.0


def steps_away(s, row, col):
    return abs(row - s.row) + abs(col - s.col)


def add(s, kind, row, col):
    """Put a creature into a free slot, if there is one; returns the slot or -1."""
    for slot in range(FIRST[kind], FIRST[kind + 1]):
        if s.life[slot] == 0:
            s.life[slot], s.clock[slot] = LIFE[kind], 0
            s.rows[slot], s.cols[slot] = row, col
            s.slot_at[row, col] = slot + 1
            return slot
    return -1


def remove(s, slot):
    s.life[slot] = 0
    s.slot_at[s.rows[slot], s.cols[slot]] = 0


def step(s, action, random):
    health, achievements = s.health, s.achievements
    s.time += 1
    if s.asleep and s.energy == UP_TO:
        s.asleep = False
        achieve(s, WOKE_UP)
    if not s.asleep:
        act(s, action, random)
    if s.ground[s.row, s.col] == LAVA:
        s.health = 0
    else:
        get_tired(s)
        recover(s)
        if s.health < s.felt:
            s.asleep = False
        s.felt = s.health
        move_creatures(s, random)
        populate(s, DAYLIGHT[s.time % DAY], random)
    return s.achievements - achievements + 0.1 * (s.health - health), s.health == 0


def achieve(s, which):
    if s.achieved[which] == 0:
        s.achieved[which] = 1
        s.achievements += 1


def act(s, action, random):
    row, col = s.row + ROWS_OF[s.facing], s.col + COLS_OF[s.facing]
    if LEFT <= action <= DOWN:
        s.facing = action
        row, col = s.row + ROWS_OF[action], s.col + COLS_OF[action]
        if s.slot_at[row, col] == 0 and (WALKABLE[s.ground[row, col]] or s.ground[row, col] == LAVA):
            s.row, s.col = row, col
    elif action == DO:
        if s.slot_at[row, col] > 0:
            use(s, s.slot_at[row, col] - 1)
        else:
            collect(s, row, col, random)
    elif action == SLEEP:
        s.asleep = s.energy < UP_TO
    elif action >= MAKE:
        make(s, action - MAKE)
    elif action >= PLACE_STONE and s.slot_at[row, col] == 0:
        place(s, action, row, col)


def use(s, slot):
    """Hit a creature or eat a ripe plant."""
    kind = KIND_OF[slot]
    if kind == PLANT and s.clock[slot] >= RIPE:
        s.clock[slot] = 0
        s.food += 4
        achieve(s, ATE_PLANT)
    if kind <= SKELETON:
        s.life[slot] = max(s.life[slot] - strength(s), 0)
        if s.life[slot] == 0:
            remove(s, slot)
            if kind == COW:
                s.food, s.hunger = s.food + 6, 0
                achieve(s, ATE_COW)
            else:
                achieve(s, BEAT_ZOMBIE if kind == ZOMBIE else BEAT_SKELETON)


def strength(s):
    if s.goods[SWORD + 2] > 0:
        return 5
    if s.goods[SWORD + 1] > 0:
        return 3
    return 2 if s.goods[SWORD] > 0 else 1


def collect(s, row, col, random):
    ground = s.ground[row, col]
    good, tool = GOOD_OF[ground], TOOL_FOR[ground]
    if ground == WATER:
        s.drink, s.thirst = s.drink + 1, 0
        achieve(s, DRANK)
    elif good >= 0 and (tool < 0 or s.goods[tool] > 0):
        if ground == TREE:
            s.ground[row, col] = GRASS
        elif ground != GRASS:
            s.ground[row, col] = PATH
        if ground != GRASS or chance(random, 0.1):
            s.goods[good] = min(s.goods[good] + 1, UP_TO)
            achieve(s, GOT[good])


def place(s, action, row, col):
    ground = s.ground[row, col]
    dry = WALKABLE[ground] == 1
    if action == PLACE_STONE and (dry or ground in (WATER, LAVA)) and pay(s, STONES, 1):
        s.ground[row, col] = STONE
        achieve(s, PLACED_STONE)
    elif action == PLACE_TABLE and dry and pay(s, WOOD, 2):
        s.ground[row, col] = TABLE
        achieve(s, PLACED_TABLE)
    elif action == PLACE_FURNACE and dry and pay(s, STONES, 4):
        s.ground[row, col] = FURNACE
        achieve(s, PLACED_FURNACE)
    elif action == PLACE_PLANT and ground == GRASS and s.goods[SAPLINGS] > 0 and add(s, PLANT, row, col) >= 0:
        s.goods[SAPLINGS] -= 1
        achieve(s, PLACED_PLANT)


def pay(s, good, amount):
    if s.goods[good] < amount:
        return False
    s.goods[good] -= amount
    return True


def make(s, tool):
    """Tools 0 to 2 are pickaxes, 3 to 5 swords, of wood, stone and iron."""
    if can_make(s, tool):
        s.goods[WOOD] -= 1
        if tool % 3 == 1:
            s.goods[STONES] -= 1
        elif tool % 3 == 2:
            s.goods[COALS] -= 1
            s.goods[IRONS] -= 1
        s.goods[PICKAXE + tool] = min(s.goods[PICKAXE + tool] + 1, UP_TO)
        achieve(s, MADE + tool)


def can_make(s, tool):
    if s.goods[WOOD] == 0 or not is_beside(s, TABLE):
        return False
    if tool % 3 == 1:
        return s.goods[STONES] > 0
    return tool % 3 == 0 or (s.goods[COALS] > 0 and s.goods[IRONS] > 0 and is_beside(s, FURNACE))


def is_beside(s, ground):
    found = False
    for row in range(s.row - 1, s.row + 2):
        for col in range(s.col - 1, s.col + 2):
            found = found or s.ground[row, col] == ground
    return found


def get_tired(s):
    s.hunger += 1 if s.asleep else 2
    if s.hunger > 50:
        s.hunger, s.food = 0, s.food - 1
    s.thirst += 1 if s.asleep else 2
    if s.thirst > 40:
        s.thirst, s.drink = 0, s.drink - 1
    s.fatigue = min(s.fatigue - 1, 0) if s.asleep else s.fatigue + 1
    if s.fatigue < -10:
        s.fatigue, s.energy = 0, s.energy + 1
    if s.fatigue > 30:
        s.fatigue, s.energy = 0, s.energy - 1


def recover(s):
    if s.food > 0 and s.drink > 0 and (s.energy > 0 or s.asleep):
        s.recovery += 4 if s.asleep else 2
    else:
        s.recovery -= 1 if s.asleep else 2
    if s.recovery > 50:
        s.recovery, s.health = 0, s.health + 1
    if s.recovery < -30:
        s.recovery, s.health = 0, s.health - 1
    s.health, s.food = min(max(s.health, 0), UP_TO), min(max(s.food, 0), UP_TO)
    s.drink, s.energy = min(max(s.drink, 0), UP_TO), min(max(s.energy, 0), UP_TO)


def move_creatures(s, random):
    for slot in range(FIRST[PLANT + 1]):
        if s.life[slot] > 0:
            kind, away = KIND_OF[slot], steps_away(s, s.rows[slot], s.cols[slot])
            if away <= REACH:
                if kind == COW:
                    if chance(random, 0.5):
                        walk(s, slot, 1 + below(random, 4))
                elif kind == ZOMBIE:
                    move_zombie(s, slot, away, random)
                elif kind == SKELETON:
                    move_skeleton(s, slot, away, random)
                elif kind == ARROW:
                    fly(s, slot)
                else:
                    grow(s, slot)
            elif ZOMBIE <= kind <= ARROW:
                remove(s, slot)


def walk(s, slot, direction):
    """Returns whether the way was free."""
    row, col = s.rows[slot] + ROWS_OF[direction], s.cols[slot] + COLS_OF[direction]
    if WALKABLE[s.ground[row, col]] == 0 or is_taken(s, row, col):
        return False
    put(s, slot, row, col)
    return True


def is_taken(s, row, col):
    return s.slot_at[row, col] > 0 or (row == s.row and col == s.col)


def put(s, slot, row, col):
    s.slot_at[s.rows[slot], s.cols[slot]] = 0
    s.rows[slot], s.cols[slot] = row, col
    s.slot_at[row, col] = slot + 1


def towards(s, slot, longer):
    """The direction to the player along the longer or the shorter way; 0 if the shorter has no length."""
    down, right = s.row - s.rows[slot], s.col - s.cols[slot]
    if (abs(right) > abs(down)) == longer:
        return RIGHT if right > 0 else LEFT if right < 0 else NOOP
    return DOWN if down > 0 else UP if down < 0 else NOOP


def away_from(direction):
    """The opposite direction."""
    return direction if direction == NOOP else (direction - 1 ^ 1) + 1


def move_zombie(s, slot, away, random):
    if away <= 8 and chance(random, 0.9):
        walk(s, slot, towards(s, slot, chance(random, 0.8)))
    else:
        walk(s, slot, 1 + below(random, 4))
    if steps_away(s, s.rows[slot], s.cols[slot]) <= 1:
        if s.clock[slot] > 0:
            s.clock[slot] -= 1
        else:
            s.clock[slot] = REST
            s.health = max(s.health - (7 if s.asleep else 2), 0)


def move_skeleton(s, slot, away, random):
    s.clock[slot] = max(s.clock[slot] - 1, 0)
    if away <= 3 and walk(s, slot, away_from(towards(s, slot, chance(random, 0.6)))):
        return
    if away <= 5 and chance(random, 0.5):
        if s.clock[slot] == 0:
            shoot(s, slot, towards(s, slot, True))
    elif away <= 8 and chance(random, 0.3):
        walk(s, slot, towards(s, slot, chance(random, 0.6)))
    elif chance(random, 0.2):
        walk(s, slot, 1 + below(random, 4))


def shoot(s, slot, direction):
    row, col = s.rows[slot] + ROWS_OF[direction], s.cols[slot] + COLS_OF[direction]
    if lets_arrows_by(s.ground[row, col]) and not is_taken(s, row, col):
        arrow = add(s, ARROW, row, col)
        if arrow >= 0:
            s.facing_of[arrow], s.clock[slot] = direction, RELOAD


def lets_arrows_by(ground):
    return WALKABLE[ground] == 1 or ground in (WATER, LAVA)


def fly(s, arrow):
    """One cell a step; what an arrow hits loses 2, and tables and furnaces break."""
    row, col = s.rows[arrow] + ROWS_OF[s.facing_of[arrow]], s.cols[arrow] + COLS_OF[s.facing_of[arrow]]
    ground, slot = s.ground[row, col], s.slot_at[row, col] - 1
    if row == s.row and col == s.col:
        s.health = max(s.health - 2, 0)
        remove(s, arrow)
    elif slot >= 0:
        s.life[slot] = max(s.life[slot] - 2, 0)
        if s.life[slot] == 0:
            remove(s, slot)
        remove(s, arrow)
    elif lets_arrows_by(ground):
        put(s, arrow, row, col)
    else:
        remove(s, arrow)
        if ground in (TABLE, FURNACE):
            s.ground[row, col] = PATH


def grow(s, plant):
    s.clock[plant] = min(s.clock[plant] + 1, RIPE)
    for direction in range(LEFT, DOWN + 1):
        slot = s.slot_at[s.rows[plant] + ROWS_OF[direction], s.cols[plant] + COLS_OF[direction]] - 1
        if slot >= 0 and KIND_OF[slot] <= SKELETON and s.life[plant] > 0:
            remove(s, plant)  # eaten


def populate(s, light, random):
    """Look at one cell around the player: what could live there may appear. Zombies may vanish, when there are too many."""
    row, col = s.row - REACH + below(random, 2 * REACH + 1), s.col - REACH + below(random, 2 * REACH + 1)
    away, zombies = steps_away(s, row, col), 2 * int(3.5 - 3.0 * light)
    if not (MARGIN <= row < SIDE - MARGIN and MARGIN <= col < SIDE - MARGIN) or away > REACH or s.slot_at[row, col] > 0:
        return
    ground = s.ground[row, col]
    if ground == GRASS and away >= 6 and chance(random, 0.25) and count(s, ZOMBIE) < zombies:
        add(s, ZOMBIE, row, col)
    elif ground == GRASS and away >= 5 and chance(random, 0.01) and count(s, COW) < 2:
        add(s, COW, row, col)
    elif ground == PATH and away >= 7 and chance(random, 0.2) and count(s, SKELETON) < 4:
        add(s, SKELETON, row, col)
    slot = FIRST[ZOMBIE] + below(random, SLOTS_OF[ZOMBIE])
    if s.life[slot] > 0 and chance(random, 0.5) and count(s, ZOMBIE) > zombies:
        remove(s, slot)


def count(s, kind):
    """How many live in reach."""
    found = 0
    for slot in range(FIRST[kind], FIRST[kind + 1]):
        found += s.life[slot] > 0 and steps_away(s, s.rows[slot], s.cols[slot]) <= REACH
    return found


def heuristic(s, random):
    """Make what can be made, sleep when tired, and go to the nearest thing in view that is wanted; else wander."""
    if s.energy < 3 or s.asleep:
        return SLEEP
    for tool in range(6):
        if s.goods[PICKAXE + tool] == 0 and can_make(s, tool):
            return MAKE + tool
    row, col = s.row + ROWS_OF[s.facing], s.col + COLS_OF[s.facing]
    if wants(s, row, col) or (s.achieved[GOT_SAPLING] == 0 and s.ground[row, col] == GRASS):
        return DO
    if s.slot_at[row, col] == 0 and WALKABLE[s.ground[row, col]]:
        if s.goods[WOOD] >= 4 and s.achieved[PLACED_TABLE] == 0:
            return PLACE_TABLE
        if s.goods[STONES] >= 6 and s.achieved[PLACED_FURNACE] == 0 and is_beside(s, TABLE):
            return PLACE_FURNACE
        if s.achieved[PLACED_STONE] == 0 and s.goods[STONES] > 0:
            return PLACE_STONE
        if s.goods[SAPLINGS] > 0 and s.ground[row, col] == GRASS:
            return PLACE_PLANT
    return go(s, random)


def wants(s, row, col):
    """Whether the simple player has a use for what is there."""
    ground, slot = s.ground[row, col], s.slot_at[row, col] - 1
    if slot >= 0:
        kind = KIND_OF[slot]
        return (kind == COW and s.food < 7) or (kind in (ZOMBIE, SKELETON) and steps_away(s, row, col) <= 3)
    if ground == WATER:
        return s.drink < 6
    good, tool = GOOD_OF[ground], TOOL_FOR[ground]
    return good > SAPLINGS and s.goods[good] < (7 if good <= STONES else 2) and (tool < 0 or s.goods[tool] > 0)


def go(s, random):
    best, down, right = 99, 0, 0
    for row in range(s.row - ROWS // 2, s.row + ROWS // 2 + 1):
        for col in range(s.col - COLS // 2, s.col + COLS // 2 + 1):
            if steps_away(s, row, col) < best and wants(s, row, col):
                best, down, right = steps_away(s, row, col), row - s.row, col - s.col
    if best == 99 or chance(random, 0.1):
        ahead = can_enter(s, s.facing) and not chance(random, 0.1)
        way = s.facing if ahead else LEFT + below(random, 4)
    elif abs(right) > abs(down) or (abs(right) == abs(down) and chance(random, 0.5)):
        way = RIGHT if right > 0 else LEFT
    else:
        way = DOWN if down > 0 else UP
    if can_enter(s, way) or best == 1:
        return way
    other = LEFT + below(random, 4)
    return other if can_enter(s, other) else NOOP


def can_enter(s, way):
    row, col = s.row + ROWS_OF[way], s.col + COLS_OF[way]
    return WALKABLE[s.ground[row, col]] == 1 and s.slot_at[row, col] == 0


def observe(s, planes):
    light = DAYLIGHT[s.time % DAY]
    for row in range(ROWS):
        for col in range(COLS):
            if is_hidden(light, row, col):
                planes[row, col, HIDDEN] = 1
            else:
                observe_cell(s, s.row + row - ROWS // 2, s.col + col - COLS // 2, planes[row, col])
            if s.asleep:
                planes[row, col, ASLEEP] = 1
    planes[ROWS // 2 + ROWS_OF[s.facing], COLS // 2 + COLS_OF[s.facing], FACING] = 1
    show_counter(planes, 0, VITALS, s.health)
    show_counter(planes, 1, VITALS, s.food)
    show_counter(planes, 2, VITALS, s.drink)
    show_counter(planes, 3, VITALS, s.energy)
    show_counter(planes, 4, VITALS, int(light * 9.0 + 0.5))
    for good in range(PICKAXE):
        show_counter(planes, good, CARRIED, s.goods[good])
        show_counter(planes, good, TOOLS, s.goods[PICKAXE + good])


def show_counter(planes, row, plane, amount):
    for col in range(amount):
        planes[row, col, plane] = 1


def is_hidden(light, row, col):
    """In the dark, the rim of the view; in the darkest night, all but the two cells on either side and one up and down."""
    right, down = (col - COLS // 2) / 4.0, (row - ROWS // 2) / 3.0
    return (1.0 - 2.0 * light) * (right * right + down * down) > 0.37


def observe_cell(s, row, col, seen):
    if s.ground[row, col] != OUTSIDE:
        seen[s.ground[row, col] - WATER] = 1
    slot = s.slot_at[row, col] - 1
    if slot >= 0:
        kind = KIND_OF[slot]
        if kind == ARROW:
            seen[ARROWS + s.facing_of[slot] - LEFT] = 1
        elif kind == PLANT:
            seen[PLANTS + (s.clock[slot] >= RIPE)] = 1
        else:
            seen[THING + kind] = 1


NIGHT, INK = (12, 16, 44), (24, 22, 34)
MEADOW, BLADE, LEAF, LEAF_LIGHT, BARK = (112, 172, 84), (138, 194, 98), (44, 112, 66), (84, 156, 82), (110, 74, 48)
LAKE, WAVE, BEACH, GRAIN = (62, 128, 206), (128, 184, 236), (232, 212, 150), (206, 182, 118)
ROCK, ROCK_LIGHT, ROCK_DARK, TRAIL, PEBBLE = (
    (132, 134, 144),
    (164, 168, 178),
    (98, 100, 112),
    (94, 82, 76),
    (118, 104, 94),
)
MAGMA, GLOW, CRUST, FLAME = (232, 92, 36), (255, 206, 84), (168, 50, 34), (255, 168, 60)
SOOT, ORE, GEM, GLINT = (40, 40, 48), (238, 170, 118), (120, 236, 240), (255, 255, 255)
WOODEN, WOODEN_LIGHT, FRUIT = (166, 112, 62), (206, 154, 94), (232, 66, 90)
HIDE, PATCH, MUZZLE, BONE, BONE_DARK = (250, 244, 234), (118, 78, 58), (240, 178, 170), (236, 232, 214), (150, 146, 136)
ROTTEN, ANGRY, RAGS = (196, 214, 132), (196, 44, 52), (92, 62, 120)
SKIN, HAIR, SHIRT, TROUSERS = (250, 214, 174), (112, 62, 38), (222, 74, 66), (52, 66, 122)
SLATE, SLOT = (36, 38, 54), (54, 58, 78)
HEART, MEAT, DROP, BOLT = (236, 72, 92), (230, 150, 74), (86, 172, 246), (250, 216, 84)
PILES = ((98, 196, 96), WOODEN_LIGHT, ROCK_LIGHT, (18, 18, 24), ORE, GEM)
METALS = (WOODEN_LIGHT, (176, 180, 190), (255, 216, 180))


def backdrop(canvas):
    fill(canvas, SLATE)


def draw(s, canvas):
    light = DAYLIGHT[s.time % DAY]
    shine = 0.25 if s.asleep else light
    for row in range(ROWS):
        for col in range(COLS):
            draw_cell(s, canvas, shine, s.row + row - ROWS // 2, s.col + col - COLS // 2, is_hidden(light, row, col))
    draw_player(canvas, shine, COLS // 2 + 0.0, ROWS // 2 + 0.0, s.facing, s.asleep)
    rect(canvas, 0.0, 7.0, 9.0, 2.0, SLATE)
    draw_gauge(canvas, 0.06, s.health, HEART)
    draw_gauge(canvas, 2.31, s.food, MEAT)
    draw_gauge(canvas, 4.56, s.drink, DROP)
    draw_gauge(canvas, 6.81, s.energy, BOLT)
    for good in range(PICKAXE):
        draw_pile(canvas, good + 0.0, s.goods[good], PILES[good])
    for kind in range(3):
        if s.goods[PICKAXE + kind] > 0:
            draw_pickaxe(canvas, 6.0 + 0.5 * kind, METALS[kind])
        if s.goods[SWORD + kind] > 0:
            draw_sword(canvas, 7.5 + 0.5 * kind, METALS[kind])


def draw_cell(s, canvas, light, row, col, hidden):
    x, y, number = float(col - s.col + COLS // 2), float(row - s.row + ROWS // 2), row * 7 + col * 3
    slot = s.slot_at[row, col] - 1
    if hidden:
        draw_dark(canvas, x, y, number)
    else:
        draw_ground(canvas, light, x, y, s.ground[row, col], number)
        if slot >= 0:
            draw_thing(canvas, light, x, y, KIND_OF[slot], s.facing_of[slot], s.clock[slot])


def tint(color, light):
    """A colour by such light, from 0 to 1: at night darker and bluer."""
    part = 105 + int(151.0 * light)
    rest = 256 - part
    return (
        (color[0] * part + NIGHT[0] * rest) >> 8,
        (color[1] * part + NIGHT[1] * rest) >> 8,
        (color[2] * part + NIGHT[2] * rest) >> 8,
    )


def box(canvas, light, x, y, width, height, color):
    rect(canvas, x, y, width, height, tint(color, light))


def disc(canvas, light, x, y, width, height, color):
    ellipse(canvas, x, y, width, height, tint(color, light))


def wedge(canvas, light, x1, y1, x2, y2, x3, y3, color):
    triangle(canvas, x1, y1, x2, y2, x3, y3, tint(color, light))


def draw_dark(canvas, x, y, number):
    rect(canvas, x, y, 1.0, 1.0, NIGHT)
    if number % 5 == 0:
        rect(canvas, x + 0.3, y + 0.4, 0.14, 0.14, (40, 48, 92))


def draw_ground(canvas, light, x, y, ground, number):
    """`number` varies the picture from place to place."""
    shift = 0.14 * (number % 3)
    if ground == OUTSIDE:
        box(canvas, light, x, y, 1.0, 1.0, INK)
    elif ground in (GRASS, TREE):
        box(canvas, light, x, y, 1.0, 1.0, MEADOW)
        if ground == TREE:
            draw_tree(canvas, light, x, y)
        else:
            box(canvas, light, x + 0.15 + shift, y + 0.2, 0.14, 0.14, BLADE)
            box(canvas, light, x + 0.7 - shift, y + 0.6, 0.14, 0.14, BLADE)
    elif ground == WATER:
        box(canvas, light, x, y, 1.0, 1.0, LAKE)
        box(canvas, light, x + 0.1 + shift, y + 0.28, 0.36, 0.1, WAVE)
        box(canvas, light, x + 0.5 - shift, y + 0.7, 0.36, 0.1, WAVE)
    elif ground == SAND:
        box(canvas, light, x, y, 1.0, 1.0, BEACH)
        box(canvas, light, x + 0.2 + shift, y + 0.3, 0.12, 0.12, GRAIN)
        box(canvas, light, x + 0.7 - shift, y + 0.7, 0.12, 0.12, GRAIN)
    elif ground == PATH:
        box(canvas, light, x, y, 1.0, 1.0, TRAIL)
        disc(canvas, light, x + 0.15 + shift, y + 0.2, 0.22, 0.18, PEBBLE)
        disc(canvas, light, x + 0.6 - shift, y + 0.6, 0.26, 0.2, PEBBLE)
    elif ground == LAVA:
        box(canvas, 1.0, x, y, 1.0, 1.0, MAGMA)  # it glows
        disc(canvas, 1.0, x + 0.08 + shift, y + 0.12, 0.44, 0.3, GLOW)
        disc(canvas, 1.0, x + 0.5 - shift, y + 0.6, 0.36, 0.26, FLAME)
        box(canvas, 1.0, x + 0.62, y + 0.16, 0.26, 0.14, CRUST)
    elif ground == TABLE:
        draw_table(canvas, light, x, y)
    else:
        draw_rock(canvas, light, x, y, ground, shift)


def draw_tree(canvas, light, x, y):
    disc(canvas, light, x + 0.16, y + 0.76, 0.7, 0.22, (84, 138, 66))
    box(canvas, light, x + 0.4, y + 0.6, 0.2, 0.34, BARK)
    disc(canvas, light, x + 0.06, y + 0.04, 0.88, 0.74, LEAF)
    disc(canvas, light, x + 0.18, y + 0.1, 0.44, 0.34, LEAF_LIGHT)


def draw_table(canvas, light, x, y):
    box(canvas, light, x, y, 1.0, 1.0, MEADOW)
    box(canvas, light, x + 0.1, y + 0.5, 0.16, 0.44, BARK)
    box(canvas, light, x + 0.74, y + 0.5, 0.16, 0.44, BARK)
    box(canvas, light, x + 0.02, y + 0.14, 0.96, 0.5, WOODEN)
    box(canvas, light, x + 0.02, y + 0.14, 0.96, 0.36, WOODEN_LIGHT)
    box(canvas, light, x + 0.2, y + 0.24, 0.36, 0.1, ROCK_DARK)
    box(canvas, light, x + 0.56, y + 0.2, 0.14, 0.2, BARK)


def draw_rock(canvas, light, x, y, ground, shift):
    """Plain stone, ores in it, or a furnace made of it."""
    box(canvas, light, x, y, 1.0, 1.0, ROCK)
    box(canvas, light, x, y, 1.0, 0.12, ROCK_LIGHT)
    box(canvas, light, x, y + 0.88, 1.0, 0.12, ROCK_DARK)
    if ground == STONE:
        box(canvas, light, x + 0.16 + shift, y + 0.36, 0.3, 0.1, ROCK_DARK)
        box(canvas, light, x + 0.56 - shift, y + 0.62, 0.26, 0.1, ROCK_LIGHT)
    elif ground == DIAMOND:
        wedge(canvas, light, x + 0.14, y + 0.42, x + 0.86, y + 0.42, x + 0.5, y + 0.9, GEM)
        wedge(canvas, light, x + 0.14, y + 0.44, x + 0.5, y + 0.14, x + 0.86, y + 0.44, GLINT)
    elif ground == FURNACE:
        box(canvas, light, x + 0.1, y + 0.1, 0.8, 0.8, ROCK_DARK)
        box(canvas, light, x + 0.22, y + 0.4, 0.56, 0.44, SOOT)
        wedge(canvas, 1.0, x + 0.28, y + 0.84, x + 0.5, y + 0.44, x + 0.72, y + 0.84, FLAME)
        wedge(canvas, 1.0, x + 0.4, y + 0.84, x + 0.5, y + 0.6, x + 0.6, y + 0.84, GLOW)
    else:
        color = SOOT if ground == COAL else ORE
        disc(canvas, light, x + 0.12, y + 0.18, 0.34, 0.32, color)
        disc(canvas, light, x + 0.54, y + 0.3, 0.32, 0.3, color)
        disc(canvas, light, x + 0.26, y + 0.56, 0.34, 0.3, color)
        box(canvas, light, x + 0.2, y + 0.24, 0.1, 0.1, ROCK_LIGHT if ground == COAL else GLINT)


def draw_thing(canvas, light, x, y, kind, facing, clock):
    if kind == COW:
        draw_cow(canvas, light, x, y)
    elif kind == ZOMBIE:
        draw_walker(canvas, light, x, y, ROTTEN, ANGRY, RAGS)
        box(canvas, light, x + 0.02, y + 0.5, 0.3, 0.14, ROTTEN)
        box(canvas, light, x + 0.68, y + 0.5, 0.3, 0.14, ROTTEN)
    elif kind == SKELETON:
        draw_walker(canvas, light, x, y, BONE, INK, BONE_DARK)
        box(canvas, light, x + 0.34, y + 0.58, 0.32, 0.06, BONE)
        box(canvas, light, x + 0.34, y + 0.7, 0.32, 0.06, BONE)
        box(canvas, light, x + 0.84, y + 0.34, 0.08, 0.5, BARK)
    elif kind == ARROW:
        draw_arrow(canvas, light, x + 0.5, y + 0.5, ROWS_OF[facing], COLS_OF[facing])
    else:
        box(canvas, light, x + 0.46, y + 0.4, 0.1, 0.5, LEAF)
        disc(canvas, light, x + 0.12, y + 0.42, 0.38, 0.24, LEAF)
        disc(canvas, light, x + 0.5, y + 0.3, 0.38, 0.24, LEAF)
        if clock >= RIPE:
            disc(canvas, light, x + 0.3, y + 0.08, 0.42, 0.42, FRUIT)
            box(canvas, light, x + 0.38, y + 0.16, 0.1, 0.1, GLINT)


def draw_cow(canvas, light, x, y):
    box(canvas, light, x + 0.16, y + 0.66, 0.12, 0.26, PATCH)
    box(canvas, light, x + 0.62, y + 0.66, 0.12, 0.26, PATCH)
    disc(canvas, light, x + 0.04, y + 0.26, 0.8, 0.54, HIDE)
    disc(canvas, light, x + 0.14, y + 0.3, 0.28, 0.28, PATCH)
    disc(canvas, light, x + 0.46, y + 0.48, 0.22, 0.22, PATCH)
    disc(canvas, light, x + 0.62, y + 0.14, 0.36, 0.42, HIDE)
    disc(canvas, light, x + 0.66, y + 0.38, 0.3, 0.22, MUZZLE)
    box(canvas, light, x + 0.7, y + 0.26, 0.07, 0.09, INK)
    box(canvas, light, x + 0.85, y + 0.26, 0.07, 0.09, INK)


def draw_walker(canvas, light, x, y, skin, eyes, coat):
    """What zombies and skeletons have in common."""
    disc(canvas, light, x + 0.2, y, 0.6, 0.58, INK)
    box(canvas, light, x + 0.24, y + 0.46, 0.52, 0.4, INK)
    box(canvas, light, x + 0.32, y + 0.78, 0.14, 0.2, skin)
    box(canvas, light, x + 0.54, y + 0.78, 0.14, 0.2, skin)
    box(canvas, light, x + 0.28, y + 0.48, 0.44, 0.34, coat)
    disc(canvas, light, x + 0.24, y + 0.04, 0.52, 0.5, skin)
    box(canvas, light, x + 0.34, y + 0.22, 0.12, 0.14, eyes)
    box(canvas, light, x + 0.54, y + 0.22, 0.12, 0.14, eyes)


def draw_arrow(canvas, light, x, y, down, right):
    long, wide = 0.7, 0.12
    width, height = long if right != 0 else wide, long if down != 0 else wide
    box(canvas, light, x - width / 2.0, y - height / 2.0, width, height, WOODEN_LIGHT)
    tip_x, tip_y = x + 0.48 * right, y + 0.48 * down
    back_x, back_y = x + 0.16 * right, y + 0.16 * down
    wedge(
        canvas, light, tip_x, tip_y, back_x + 0.2 * down, back_y + 0.2 * right, back_x - 0.2 * down,
        back_y - 0.2 * right, GLINT,
    )  # fmt: skip


def draw_player(canvas, light, x, y, facing, asleep):
    if asleep:
        disc(canvas, light, x + 0.04, y + 0.3, 0.44, 0.44, SKIN)
        disc(canvas, light, x + 0.02, y + 0.28, 0.26, 0.46, HAIR)
        box(canvas, light, x + 0.42, y + 0.32, 0.54, 0.42, TROUSERS)
        box(canvas, light, x + 0.42, y + 0.32, 0.12, 0.42, GLINT)
        return
    box(canvas, light, x + 0.3, y + 0.76, 0.16, 0.2, TROUSERS)
    box(canvas, light, x + 0.54, y + 0.76, 0.16, 0.2, TROUSERS)
    box(canvas, light, x + 0.2, y + 0.48, 0.6, 0.32, SHIRT)
    disc(canvas, light, x + 0.2, y + 0.02, 0.6, 0.54, HAIR)
    if facing != UP:
        look = 0.1 * COLS_OF[facing]
        disc(canvas, light, x + 0.26 + look, y + 0.16, 0.48, 0.38, SKIN)
        box(canvas, light, x + 0.35 + 1.5 * look, y + 0.26, 0.09, 0.14, INK)
        box(canvas, light, x + 0.56 + 1.5 * look, y + 0.26, 0.09, 0.14, INK)
    hand_x, hand_y = x + 0.4 + 0.4 * COLS_OF[facing], y + 0.56 + 0.14 * ROWS_OF[facing]
    disc(canvas, light, hand_x, hand_y, 0.2, 0.2, SKIN)


def draw_gauge(canvas, x, amount, color):
    """A symbol, and nine notches of which so many are filled."""
    if color == HEART:
        ellipse(canvas, x, 7.18, 0.34, 0.36, color)
        ellipse(canvas, x + 0.28, 7.18, 0.34, 0.36, color)
        triangle(canvas, x + 0.03, 7.44, x + 0.59, 7.44, x + 0.31, 7.84, color)
    elif color == MEAT:
        rect(canvas, x + 0.38, 7.56, 0.2, 0.24, BONE)
        ellipse(canvas, x, 7.14, 0.52, 0.52, color)
    elif color == DROP:
        triangle(canvas, x + 0.3, 7.1, x + 0.06, 7.54, x + 0.54, 7.54, color)
        ellipse(canvas, x + 0.04, 7.34, 0.52, 0.5, color)
    else:
        triangle(canvas, x + 0.42, 7.1, x + 0.06, 7.56, x + 0.36, 7.56, color)
        triangle(canvas, x + 0.2, 7.86, x + 0.56, 7.4, x + 0.26, 7.4, color)
    rect(canvas, x + 0.7, 7.28, 1.4, 0.44, SLOT)
    if amount > 0:
        rect(canvas, x + 0.7, 7.28, 1.4 * amount / 9.0, 0.44, color)
    for notch in range(1, 9):
        rect(canvas, x + 0.7 + 1.4 * notch / 9.0 - 0.015, 7.28, 0.03, 0.44, SLATE)


def draw_pile(canvas, x, amount, color):
    """As many pieces as are carried, three in a row."""
    rect(canvas, x + 0.05, 8.05, 0.9, 0.9, SLOT)
    for piece in range(amount):
        left, top = x + 0.09 + 0.29 * (piece % 3), 8.67 - 0.29 * (piece // 3)
        rect(canvas, left, top, 0.24, 0.24, color)
        rect(canvas, left, top, 0.08, 0.08, GLINT)


def draw_pickaxe(canvas, x, color):
    ellipse(canvas, x + 0.01, 8.1, 0.48, 0.5, color)
    ellipse(canvas, x + 0.05, 8.24, 0.4, 0.5, SLATE)
    rect(canvas, x + 0.19, 8.14, 0.12, 0.76, BARK)


def draw_sword(canvas, x, color):
    rect(canvas, x + 0.17, 8.1, 0.16, 0.56, color)
    rect(canvas, x + 0.07, 8.6, 0.36, 0.12, BARK)
    rect(canvas, x + 0.19, 8.7, 0.12, 0.22, BARK)


GAME = Game(
    name="Wilds",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    hidden=True,
    heuristic=heuristic,
    draw=draw,
    backdrop=backdrop,
    shape=(ROWS, COLS),
    planes=PLANES,
    actions=ACTIONS,
    keys={way: way for way in ACTIONS[LEFT : DOWN + 1]}
    | {"a": "left", "d": "right", "w": "up", "s": "down", "space": "do", "z": "sleep", "n": "noop"}
    | {"e": "place_stone", "t": "place_table", "f": "place_furnace", "g": "place_plant"}
    | {str(tool + 1): ACTIONS[MAKE + tool] for tool in range(6)},
    canvas=(9.0, 9.0),
    waits=True,
    fps=6,
)
