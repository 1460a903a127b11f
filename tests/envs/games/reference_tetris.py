"""Tetris once more, on a grid of cells, with the tables as the Tetris Wiki prints them ("Super Rotation System").

It knows everything but what comes next out of the bag, which `Model.step` is told.
"""

import numpy as np

ROWS, COLS, GRAVITY = 20, 10, 5
NOOP, LEFT, RIGHT, CLOCKWISE, COUNTERCLOCKWISE, SOFT, HARD = range(7)
KINDS = "IOTSZJL"
PICTURES = {
    "I": ("....|####|....|....", "..#.|..#.|..#.|..#.", "....|....|####|....", ".#..|.#..|.#..|.#.."),
    "O": ("##|##", "##|##", "##|##", "##|##"),
    "T": (".#.|###|...", ".#.|.##|.#.", "...|###|.#.", ".#.|##.|.#."),
    "S": (".##|##.|...", ".#.|.##|..#", "...|.##|##.", "#..|##.|.#."),
    "Z": ("##.|.##|...", "..#|.##|.#.", "...|##.|.##", ".#.|##.|#.."),
    "J": ("#..|###|...", ".##|.#.|.#.", "...|###|..#", ".#.|.#.|##."),
    "L": ("..#|###|...", ".#.|.#.|.##", "...|###|#..", "##.|.#.|.#."),
}
# Wall kicks, x to the right and y up; 0 is how a piece appears, R and L are turned once clockwise and counterclockwise
JLSTZ = {
    "0R": ((0, 0), (-1, 0), (-1, +1), (0, -2), (-1, -2)),
    "R0": ((0, 0), (+1, 0), (+1, -1), (0, +2), (+1, +2)),
    "R2": ((0, 0), (+1, 0), (+1, -1), (0, +2), (+1, +2)),
    "2R": ((0, 0), (-1, 0), (-1, +1), (0, -2), (-1, -2)),
    "2L": ((0, 0), (+1, 0), (+1, +1), (0, -2), (+1, -2)),
    "L2": ((0, 0), (-1, 0), (-1, -1), (0, +2), (-1, +2)),
    "L0": ((0, 0), (-1, 0), (-1, -1), (0, +2), (-1, +2)),
    "0L": ((0, 0), (+1, 0), (+1, +1), (0, -2), (+1, -2)),
}
LONG = {
    "0R": ((0, 0), (-2, 0), (+1, 0), (-2, -1), (+1, +2)),
    "R0": ((0, 0), (+2, 0), (-1, 0), (+2, +1), (-1, -2)),
    "R2": ((0, 0), (-1, 0), (+2, 0), (-1, +2), (+2, -1)),
    "2R": ((0, 0), (+1, 0), (-2, 0), (+1, -2), (-2, +1)),
    "2L": ((0, 0), (+2, 0), (-1, 0), (+2, +1), (-1, -2)),
    "L2": ((0, 0), (-2, 0), (+1, 0), (-2, -1), (+1, +2)),
    "L0": ((0, 0), (+1, 0), (-2, 0), (+1, -2), (-2, +1)),
    "0L": ((0, 0), (-1, 0), (+2, 0), (-1, +2), (+2, -1)),
}
SCORES = {0: 0, 1: 100, 2: 300, 3: 500, 4: 800}
BOXES = {
    (kind, turn): [
        (row, col) for row, line in enumerate(picture.split("|")) for col, dot in enumerate(line) if dot == "#"
    ]
    for kind, pictures in PICTURES.items()
    for turn, picture in enumerate(pictures)
}


class Model:
    def __init__(self, kind, grid=None):
        self.grid = np.zeros((ROWS, COLS), bool) if grid is None else grid
        self.kick = None  # which of the five tries the last turn took
        self.appear(kind)

    def appear(self, kind):
        self.kind, self.turn, self.row, self.col, self.ticks = kind, 0, 0, 4 if kind == "O" else 3, 0

    def cells(self, turn, row, col):
        return [(row + down, col + right) for down, right in BOXES[self.kind, turn]]

    def falling(self):
        return self.cells(self.turn, self.row, self.col)

    def fits(self, turn, row, col):
        return all(0 <= r < ROWS and 0 <= c < COLS and not self.grid[r, c] for r, c in self.cells(turn, row, col))

    def rotate(self, by):
        turn = (self.turn + by) % 4
        tries = (LONG if self.kind == "I" else JLSTZ)["0R2L"[self.turn] + "0R2L"[turn]]
        self.kick = None
        for number, (x, y) in enumerate(tries):
            if self.fits(turn, self.row - y, self.col + x):
                self.turn, self.row, self.col, self.kick = turn, self.row - y, self.col + x, number
                return

    def step(self, action, following):
        """Take a step; `following` is the piece to come. Returns (reward, terminated, whether the piece settled)."""
        if action in (LEFT, RIGHT):
            col = self.col + {LEFT: -1, RIGHT: 1}[action]
            if self.fits(self.turn, self.row, col):
                self.col = col
        elif action in (CLOCKWISE, COUNTERCLOCKWISE):
            self.rotate(1 if action == CLOCKWISE else -1)
        self.ticks += 1
        if action == HARD:
            while self.fits(self.turn, self.row + 1, self.col):
                self.row += 1
        elif action != SOFT and self.ticks < GRAVITY:
            return 0, False, False
        elif self.fits(self.turn, self.row + 1, self.col):
            self.row, self.ticks = self.row + 1, 0
            return 0, False, False
        for cell in self.falling():
            self.grid[cell] = True
        kept = self.grid[~self.grid.all(axis=1)]
        filled = ROWS - len(kept)
        self.grid = np.vstack([np.zeros((filled, COLS), bool), kept])
        self.appear(following)
        return SCORES[filled] / 100, not self.fits(self.turn, self.row, self.col), True
