"""What a game puts into the engine's kernel: `compile.link` replaces the constants and the empty functions of this module.

The empty functions stand for the game's rules, or for one of the functions below them: which one depends on the number of
players, whether they take turns or act together, and on the kind of observation (`kernel.see_planes` and the like).
"""

import numpy as np

from ..rng import ENGINE, SHIFT_11, TO_UNIT, next_bits

FRAME_STACK, CHANNELS = 1, 1
PLAYERS, SEATS = 1, 1
HAS_BACKDROP, HAS_LEGAL = False, False
CANVAS = (1.0, 1.0)


def reset(s, random):
    """Replaced by the game's rule."""


def step(s, action, *more):
    """Replaced by the game's rule; where players act together, it takes (s, actions, rewards, random)."""
    return 0.0, False


def observe(s, *more):
    """Replaced by the game's rule; where there are players, it takes (s, player, planes)."""


def legal_actions(s, allowed):
    """Replaced by the game's rule `legal`, if it has one."""


def draw(s, *more):
    """Replaced by the game's rule; where there are players, it takes (s, player, canvas)."""


def draw_backdrop(canvas):
    """Replaced by the game's rule, if it has one."""


def see(s, player, frame, backdrop):
    """Replaced by `kernel.see_planes`, `see_features` or `see_pixels`."""


# One player, two who take turns, or several who act together


def act(i, s, actions, reward, clock, setting, random):
    """Replaced by one of the three below: take a step, write each player's reward; returns whether the game ended."""
    return False


def act_alone(i, s, actions, reward, clock, setting, random):
    reward[i], terminated = step(s, choose_action(actions[i], clock, random, setting), random)
    return terminated


def act_in_turn(i, s, actions, reward, clock, setting, random):
    """What the mover gains, the other loses."""
    mover = s.player
    gain, terminated = step(s, actions[i], random)
    reward[2 * i + mover] = gain
    reward[2 * i + 1 - mover] = -gain
    return terminated


def act_together(i, s, actions, reward, clock, setting, random):
    first, last = i * PLAYERS, (i + 1) * PLAYERS
    for k in range(first, last):
        reward[k] = 0.0
    return step(s, actions[first:last], reward[first:last], random)


def viewer(s, seat):
    """Replaced by one of the two below: the player who looks from a seat."""
    return 0


def viewer_in_turn(s, seat):
    return s.player


def viewer_at_seat(s, seat):
    return seat


def take_seats(s):
    """Replaced by the one below in games that players may leave: who takes part."""


def take_all_seats(s):
    for player in range(PLAYERS):
        s.active[player] = 1


def value_of(s, player):
    """Replaced by the game's rule `value`, if it has one."""
    return 0.0


def show(s, player, planes):
    """Replaced by one of the two below."""


def show_alone(s, player, planes):
    observe(s, planes)


def show_player(s, player, planes):
    observe(s, player, planes)


def paint(s, player, canvas):
    """Replaced by one of the two below."""


def paint_alone(s, player, canvas):
    draw(s, canvas)


def paint_player(s, player, canvas):
    draw(s, player, canvas)


def choose_action(action, clock, random, setting):
    """The game's action, after the chosen action set and sticky actions (Machado et al. 2018)."""
    chosen = setting.action_map[action]
    if setting.repeat_action_probability > 0.0:
        unit = np.float64(next_bits(random, ENGINE) >> SHIFT_11) * TO_UNIT
        if unit < setting.repeat_action_probability:
            chosen = np.int64(clock.last_action)
        clock.last_action = chosen
    return chosen


def advise(s, player, random):
    """Replaced by one of the two below: what the game's simple player would do."""
    return 0


def advise_alone(s, player, random):
    return heuristic(s, random)


def advise_player(s, player, random):
    return heuristic(s, player, random)


def heuristic(s, *more):
    """Replaced by the game's rule, if it has one; where there are players, it takes (s, player, random)."""
    return 0


def click(s, x, y):
    """Replaced by the game's rule, if it has one."""
    return -1
