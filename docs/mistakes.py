"""What newcomers write into rules, and what they are told: the guide's table is made of this, and a test tries each line.

A mistake is a place, a line and a part of the message. The line goes to the start of that rule of the guide's game; a `def`
replaces the rule's own, a field of `State` the one of that name, and a line of the `file` follows its constants.
"""

MISTAKES = (
    ("State", 'eaten="u1"', "state field eaten='u1': use one of ?, i1, i2, i4, i8, f8"),
    ("State", "eaten=int", "state field eaten=<class 'int'>: use one of ?, i1, i2, i4, i8, f8"),
    ("State", 'eaten="8x8 i1"', "state field eaten='8x8 i1': use one of ?, i1, i2, i4, i8, f8, as in '(3,10)i1'"),
    ("file", "DOWN = [0, -1, 0, 0, 1]", "DOWN is a list: a file's constants are numbers, tuples and NumPy arrays"),
    ("step", "def step(s, random, action):", "step takes (s, random, action): write def step(s, action, random)"),
    ("step", "cells = [s.row, s.col]", "a list: write a tuple, (1, 2), or give the record a field"),
    ("step", "s.row = max(k for k in DOWN)", "a generator expression: write a for loop"),
    ("step", "around = {0: 1, 1: 0}", "a dictionary: look numbers up in a tuple or NumPy array of your file"),
    ("step", 'way = "up"', "the string 'up': let numbers stand for things: LEFT, RIGHT = 0, 1"),
    ("step", "print(s.row)", "print: look at rules with Simulator(GAME, mode='python'), where print works"),
    ("step", "s.row = random.randrange(SIZE)", "random.randrange: take below(random, n), chance(random, p) or"),
    ("step", "global SIZE", "global: what changes belongs in the record"),
    ("step", "import math", "an import inside a rule: import at the top of the file"),
    ("step", "s.row = SIZ - 1", "the name 'SIZ' is not there: did you mean SIZE?"),
    ("step", "s.rows = 0", "the field 'rows' is not there: did you mean row?"),
    ("step", "s.row = DOWN[s.col / 2]", "the float s.col / 2 as an index: divide by // or write int(...)"),
    ("step", "s.row = s.row / 2", "is stored in a whole number (int8), which would cut it: write int(...)"),
    ("step", "s.eaten += 100", "out of bounds for int8: declare the field 'i2'"),
    ("step", "return 0.0", "step returns 1 value: write return reward, terminated"),
    ("step", "return s.eaten == 10, 1.0", "step returns 1.0 as terminated: write return reward, terminated"),
    ("step", "return None, False", "step returns None as the reward: write return reward, terminated"),
    ("step", "s.row = below(SIZE, random)", "below(SIZE, random): write below(random, SIZE)"),
    ("step", "s.row = below(random, 0)", "below(random, 0): nothing from 0 is below that: take a number from 1"),
    ("step", "s.row = below(random, s.eaten)", "below(random, n) takes a whole number from 1 as n, got 0"),
    ("step", "while s.row < SIZE: s.col = 0", "has not come to an end after"),
    ("reset", "reset(s, random)", "calls itself; rules cannot be recursive"),
    ("observe", "planes[:, :, 0] = planes[:, :, 1]", "a copy of a whole array: write a for loop over its elements"),
    (
        "observe",
        "planes[s.row + 8, s.col, 0] = 1",
        "observe wrote or read outside its record: index 13 is out of bounds",
    ),
    (
        "observe",
        "planes[s.row - 8, s.col, 0] = 1",
        "observe wrote or read outside its record: index (-3, 5, 0) counts from",
    ),
    ("observe", "planes[s.row, s.col, 0] = 0.5", "the float 0.5 is stored in a whole number (uint8)"),
    ("draw", "ellipse(canvas, 1, 1, (0, 0, 0))", "it takes ellipse(canvas, x, y, width, height, color)"),
    ("draw", "fill(canvas, (0.5, 0, 0))", "(0.5, 0, 0) as a colour: write (red, green, blue), whole numbers from"),
    ("draw", 'fill(canvas, "red")', "'red' as a colour: write (red, green, blue), whole numbers from 0 to 255"),
    ("draw", 'name = f"{s.eaten} berries"', "an f-string: rules compute with numbers"),
    ("draw", "return", "draw does not paint the whole picture"),
)
