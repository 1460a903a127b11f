"""A perfect solver of ConnectFour, the yardstick of `connect_four.py`: what a position is worth if nobody errs.

The method is Pascal Pons's ("Solving Connect Four: how to build a perfect AI", blog.gamesolver.org, 2016-2019): alpha-beta
search on bitboards (Tromp's layout, which is that of the game's file), which never plays moves that let the other win at
once, tries those first that make most threats, remembers what it has found out in a transposition table, and asks one
question of a position at a time, whether it is worth more than so much (a null window). So each table entry has the bounds
known of a score, from below and from above.

Scores are Pons's, too: 0 is a draw; a mover that wins has as many points as discs of its own would be left then, its last
one included, and minus as many for one that loses. So 1 is a win with the last disc, and 18 one with the fourth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import int64, njit

from ludus.envs.games.connect_four import CELL_BITS, CELLS, COLS, HIGH, ROWS

ENTRIES = (1 << 23) + 9  # of the table, 64 MiB; a prime, so that the lowest bits do not decide alone
CENTRE_FIRST = (3, 2, 4, 1, 5, 0, 6)
BOTTOM = sum(1 << HIGH * col for col in range(COLS))
COLUMN = (1 << ROWS) - 1
KEY_BITS = HIGH * COLS  # of a packed number; the rest is a score
LOW, BITS = 32, 6  # scores are stored from 0 on, in six bits


class Position(NamedTuple):
    """Discs as bits, cell `HIGH * col + height`."""

    mine: int  # the mover's
    mask: int  # all

    def after(self, col: int) -> Position:
        """The other's view, with a disc of the mover's in a column that has room; raises ValueError if it is full."""
        cell = self.mask + (1 << HIGH * col) & COLUMN << HIGH * col
        if not cell:
            raise ValueError(f"column {col + 1} is full")
        return Position(self.mine ^ self.mask, self.mask | cell)

    def wins(self, col: int) -> bool:
        """Whether the mover lines up four by a disc in a column."""
        return bool(winning(self.mine, self.mask) & self.mask + (1 << HIGH * col) & COLUMN << HIGH * col)


def position(columns: str) -> Position:
    """After these moves from the empty rack, columns from 1, as in "4453"."""
    found = Position(0, 0)
    for col in map(int, columns):
        found = found.after(col - 1)
    return found


def positions_of(records: np.ndarray) -> list[Position]:
    """Of records of the game."""
    discs, movers = records["discs"], records["player"]
    return [Position(int(both[mover]), int(both.sum())) for both, mover in zip(discs, movers, strict=True)]


class Solver:
    """Answers questions on positions in which nobody has won yet, and remembers what it found out.

    Attributes:
        nodes: positions looked at so far.
    """

    def __init__(self) -> None:
        self._table, self._nodes = np.full(ENTRIES, -1, np.int64), np.zeros(1, np.int64)  # -1 is of no position
        self._moves = np.zeros((CELLS, COLS), np.int64)  # a row for each number of discs

    @property
    def nodes(self) -> int:
        return int(self._nodes[0])

    def exceeds(self, asked: Position, bound: int) -> bool:
        """Whether a position's score is more than `bound`."""
        mine, mask = asked
        discs = mask.bit_count()
        if discs == CELLS:
            return bound < 0
        if winning(mine, mask) & mask + BOTTOM & CELL_BITS:
            return (CELLS + 1 - discs) // 2 > bound
        return bool(search(mine, mask, discs, bound, self._table, self._moves, self._nodes))

    def score(self, asked: Position) -> int:
        """By halving the range of possible scores, around 0 first, since near it questions are the easiest."""
        left = CELLS - asked.mask.bit_count()
        low, high = -(left // 2), (left + 1) // 2
        while low < high:
            middle = (low + high) // 2
            if middle <= 0 and low // 2 < middle:
                middle = low // 2
            elif middle >= 0 and high // 2 > middle:
                middle = high // 2
            if self.exceeds(asked, middle):
                low = middle + 1
            else:
                high = middle
        return low

    def outcome(self, asked: Position) -> int:
        """1, 0 or -1, for a mover that wins, draws or loses; much faster than the score."""
        return 1 if self.exceeds(asked, 0) else 0 if self.exceeds(asked, -1) else -1

    def reaches(self, asked: Position, col: int, worth: int) -> bool:
        """Whether a move has this score, or a better one, for who makes it."""
        if asked.wins(col):
            return (CELLS + 1 - asked.mask.bit_count()) // 2 >= worth
        return not self.exceeds(asked.after(col), -worth)


@njit(int64(int64, int64), cache=True)
def winning(discs, mask):
    """The free cells that would line up four of these discs, whether they can be reached or not."""
    found = discs << 1 & discs << 2 & discs << 3
    for step in (HIGH - 1, HIGH, HIGH + 1):
        pair = discs << step & discs << 2 * step
        found |= pair & discs << 3 * step
        found |= pair & discs >> step
        pair = discs >> step & discs >> 2 * step
        found |= pair & discs << step
        found |= pair & discs >> 3 * step
    return found & (CELL_BITS ^ mask)


@njit(int64(int64), cache=True)
def ones(bits):
    """How many bits are set; LLVM makes one instruction of it."""
    bits = bits - (bits >> 1 & 0x5555555555555555)
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333)
    return ((bits + (bits >> 4) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101 >> 56) & 0xFF


@njit(int64(int64, int64), cache=True)
def safe_moves(mine, mask):
    """The cells to play into, as bits, after which the other cannot win at once."""
    cells = mask + BOTTOM & CELL_BITS
    threats = winning(mine ^ mask, mask)
    forced = cells & threats
    if forced:
        if forced & forced - 1:  # two places to block
            return 0
        cells = forced
    return cells & ~(threats >> 1)  # nor right below where the other would win


@njit(int64(int64, int64, int64, int64[:]), cache=True)
def order(mine, mask, cells, moves):
    """Write the moves, the most promising one first, as threats, centrality and cell in one number; returns how many."""
    count = 0
    for k in range(COLS):
        move = cells & COLUMN << HIGH * CENTRE_FIRST[k]
        if move:
            packed = ones(winning(mine | move, mask)) * COLS + COLS - 1 - k << KEY_BITS | move
            place = count
            while place > 0 and moves[place - 1] < packed:
                moves[place] = moves[place - 1]
                place -= 1
            moves[place] = packed
            count += 1
    return count


@njit("boolean(int64, int64, int64, int64, int64[:], int64[:, :], int64[:])", cache=True)
def search(mine, mask, discs, bound, table, moves, nodes):
    """Whether the score of a position with so many discs is more than `bound`, where the mover cannot win at once."""
    nodes[0] += 1
    left = CELLS - discs
    cells = safe_moves(mine, mask)
    if cells == 0:
        return -(left // 2) > bound
    low, high = -((left - 2) // 2), (left - 1) // 2  # neither wins with the next disc of its own
    if left <= 2:
        low = high = 0
    key = mine + mask  # of no other position
    slot = key % ENTRIES
    entry = table[slot]
    if entry >> 2 * BITS == key:
        low, high = max(low, (entry >> BITS & 63) - LOW), min(high, (entry & 63) - LOW)
    if low > bound:
        return True
    if high <= bound:
        return False
    found = False
    row = moves[discs]
    for k in range(order(mine, mask, cells, row)):
        move = row[k] & (1 << KEY_BITS) - 1
        if not search(mine ^ mask, mask | move, discs + 1, -bound - 1, table, moves, nodes):
            found = True
            break
    if found:
        low = bound + 1
    else:
        high = bound
    table[slot] = (key << BITS | low + LOW) << BITS | high + LOW
    return found
