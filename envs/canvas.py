"""Drawing inside compiled rules, in the game's own units: the same calls fill 64x64 pixels and a 640x640 window.

x runs to the right, y runs down, both in cells (or whatever units the game's `canvas` size is given in); colours are
`(red, green, blue)` from 0 to 255; what lies outside the picture is cut off. Rules only pass their `canvas` on. It is

    (lines, width, height, channels, step)

where `lines` (rows, columns * step) uint8 are the pixels, `width` and `height` the picture's size in game units,
`channels` 3 for RGB or 1 for grayscale, and `step` the bytes from one pixel to the next (more than `channels` in a stack
of frames).
"""

import math

import numpy as np

COLOR = "write (red, green, blue), whole numbers from 0 to 255"
WIDE = 16  # pixels from which rows of a rectangle are copied


def luma(color):
    """The grey of a colour (ITU-R BT.601 weights, in 256ths), 0 to 255."""
    return (77 * color[0] + 150 * color[1] + 29 * color[2]) >> 8


def blend(one, other, part, whole):
    """The colour that lies `part` of `whole` of the way from one to the other."""
    return (
        one[0] + (other[0] - one[0]) * part // whole,
        one[1] + (other[1] - one[1]) * part // whole,
        one[2] + (other[2] - one[2]) * part // whole,
    )


def raster(canvas):
    """Rows and columns of the picture, in pixels, and pixels per game unit down and across."""
    lines, width, height, _, step = canvas
    rows, columns = lines.shape[0], (lines.shape[1] + step - 1) // step
    return rows, columns, rows / height, columns / width


def pixel_at(position, scale, limit):
    """The pixel edge nearest to a position in game units, kept inside the picture."""
    return min(max(int(position * scale + 0.5), 0), limit)


def paint(canvas, row, column, color):
    """Set one pixel."""
    lines, _, _, channels, step = canvas
    k = max(column * step, 0)  # which tells the compiler that no index counts from the end
    if channels == 1:
        lines[row, k] = luma(color)
    else:
        lines[row, k] = color[0]
        lines[row, k + 1] = color[1]
        lines[row, k + 2] = color[2]


def copy_pixels(canvas, source, target, left, right):
    """Copy a stretch of one row to another; for a wide one, several times faster than painting it."""
    lines, _, _, channels, step = canvas
    if step == channels:
        for k in range(left * step, right * step):
            lines[target, k] = lines[source, k]
    else:
        for column in range(left, right):
            for k in range(column * step, column * step + channels):
                lines[target, k] = lines[source, k]


def rect(canvas, x, y, width, height, color):
    """Fill a rectangle whose top left corner is (x, y)."""
    fill_rect(canvas, float(x), float(y), float(width), float(height), color)


def fill_rect(canvas, x, y, width, height, color):
    """`rect` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    rows, columns, down, across = raster(canvas)
    left, right = pixel_at(x, across, columns), pixel_at(x + width, across, columns)
    top, bottom = pixel_at(y, down, rows), pixel_at(y + height, down, rows)
    if top >= bottom:
        return
    painted = bottom if right - left < WIDE else top + 1
    for row in range(top, painted):
        for column in range(left, right):
            paint(canvas, row, column, color)
    for row in range(painted, bottom):
        copy_pixels(canvas, top, row, left, right)


def fill(canvas, color):
    """Fill the whole picture."""
    rect(canvas, 0.0, 0.0, canvas[1], canvas[2], color)


def ellipse(canvas, x, y, width, height, color):
    """Fill the ellipse inside the rectangle whose top left corner is (x, y)."""
    fill_ellipse(canvas, float(x), float(y), float(width), float(height), color)


def fill_ellipse(canvas, x, y, width, height, color):
    """`ellipse` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    rows, columns, down, across = raster(canvas)
    left, right = pixel_at(x, across, columns), pixel_at(x + width, across, columns)
    top, bottom = pixel_at(y, down, rows), pixel_at(y + height, down, rows)
    for row in range(top, bottom):
        v = ((row + 0.5) / down - y) / height * 2.0 - 1.0
        for column in range(left, right):
            u = ((column + 0.5) / across - x) / width * 2.0 - 1.0
            if u * u + v * v <= 1.0:
                paint(canvas, row, column, color)


def disc(canvas, x, y, radius, color):
    """Fill the disc around (x, y)."""
    ellipse(canvas, x - radius, y - radius, 2.0 * radius, 2.0 * radius, color)


def rounded_rect(canvas, x, y, width, height, radius, color):
    """Fill a rectangle with round corners."""
    fill_rounded_rect(canvas, float(x), float(y), float(width), float(height), float(radius), color)


def fill_rounded_rect(canvas, x, y, width, height, radius, color):
    """`rounded_rect` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    size = 2.0 * radius
    fill_rect(canvas, x + radius, y, width - size, height, color)
    fill_rect(canvas, x, y + radius, width, height - size, color)
    for right in range(2):
        for down in range(2):
            fill_ellipse(canvas, x + right * (width - size), y + down * (height - size), size, size, color)


def triangle(canvas, x1, y1, x2, y2, x3, y3, color):
    """Fill the triangle with the three given corners, in either order."""
    fill_triangle(canvas, float(x1), float(y1), float(x2), float(y2), float(x3), float(y3), color)


def fill_triangle(canvas, x1, y1, x2, y2, x3, y3, color):
    """`triangle` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    rows, columns, down, across = raster(canvas)
    left, right = pixel_at(min(x1, x2, x3), across, columns), pixel_at(max(x1, x2, x3), across, columns)
    top, bottom = pixel_at(min(y1, y2, y3), down, rows), pixel_at(max(y1, y2, y3), down, rows)
    for row in range(top, bottom):
        y = (row + 0.5) / down
        for column in range(left, right):
            x = (column + 0.5) / across
            side_1 = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
            side_2 = (x3 - x2) * (y - y2) - (y3 - y2) * (x - x2)
            side_3 = (x1 - x3) * (y - y3) - (y1 - y3) * (x - x3)
            if (side_1 >= 0 and side_2 >= 0 and side_3 >= 0) or (side_1 <= 0 and side_2 <= 0 and side_3 <= 0):
                paint(canvas, row, column, color)


def sprite(canvas, image, x, y, width, height, flip=False):
    """Draw a picture made by `bitmap`, stretched to the given rectangle; `flip` mirrors it left to right."""
    stretch(canvas, image, float(x), float(y), float(width), float(height), bool(flip))


def stretch(canvas, image, x, y, width, height, flip):
    """`sprite` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    rows, columns, down, across = raster(canvas)
    image_rows, image_columns, _ = image.shape
    left = int(math.floor(x * across + 0.5))
    right = int(math.floor((x + width) * across + 0.5))
    top = int(math.floor(y * down + 0.5))
    bottom = int(math.floor((y + height) * down + 0.5))
    if right <= left or bottom <= top:
        return
    image_down, image_across = image_rows / (bottom - top), image_columns / (right - left)
    for row in range(max(top, 0), min(bottom, rows)):
        image_row = int((row - top + 0.5) * image_down)
        for column in range(max(left, 0), min(right, columns)):
            image_column = max(int((column - left + 0.5) * image_across), 0)
            seen = image_columns - 1 - image_column if flip else image_column
            if image[image_row, seen, 3] > 0:
                red, green, blue = (
                    int(image[image_row, seen, 0]),
                    int(image[image_row, seen, 1]),
                    int(image[image_row, seen, 2]),
                )
                paint(canvas, row, column, (red, green, blue))


def is_color(value: object) -> bool:
    """Whether it is a colour; not for rules."""
    return (
        isinstance(value, (tuple, list, np.ndarray))
        and len(value) == 3
        and all(isinstance(one, (int, np.integer)) and 0 <= one <= 255 for one in value)
    )


def bitmap(picture: str, **colors: tuple[int, int, int]) -> np.ndarray:
    """Make a sprite from text, one letter a pixel: `bitmap(".x.\\nxxx", x=(255, 200, 0))`; other letters are see-through.

    Returns a uint8 array of shape (rows, columns, 4): red, green, blue, and 255 where the sprite is solid.
    """
    lines = [line.strip() for line in picture.strip().splitlines()]
    if len({len(line) for line in lines}) != 1:
        raise ValueError(f"bitmap rows must be equally long, got lengths {sorted({len(line) for line in lines})}")
    for letter, color in colors.items():
        if not is_color(color):
            raise ValueError(f"bitmap takes {letter}={color!r} as a colour: {COLOR}")
    image = np.zeros((len(lines), len(lines[0]), 4), np.uint8)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            if letter in colors:
                image[row, column] = (*colors[letter], 255)
    image.setflags(write=False)
    return image


def line(canvas, x1, y1, x2, y2, thickness, color):
    """Draw a straight line between two points, `thickness` wide."""
    stroke(canvas, float(x1), float(y1), float(x2), float(y2), float(thickness), color)


def stroke(canvas, x1, y1, x2, y2, thickness, color):
    """`line` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    rows, columns, down, across = raster(canvas)
    reach, length = thickness / 2.0, math.sqrt((x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1))
    left, right = (
        pixel_at(min(x1, x2) - reach, across, columns),
        pixel_at(max(x1, x2) + reach, across, columns),
    )
    top, bottom = pixel_at(min(y1, y2) - reach, down, rows), pixel_at(max(y1, y2) + reach, down, rows)
    if length == 0.0:
        return
    along_x, along_y = (x2 - x1) / length, (y2 - y1) / length
    for row in range(top, bottom):
        y = (row + 0.5) / down - y1
        for column in range(left, right):
            x = (column + 0.5) / across - x1
            along, aside = x * along_x + y * along_y, x * along_y - y * along_x
            if 0.0 <= along <= length and -reach <= aside <= reach:
                paint(canvas, row, column, color)


def letter(canvas, index, x, y, width, height, color):
    """Draw a digit (0 to 9) or a letter (10 for A to 35 for Z) to fill a rectangle."""
    write_letter(canvas, int(index), float(x), float(y), float(width), float(height), color)


def write_letter(canvas, index, x, y, width, height, color):
    """`letter` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    dot_width, dot_height = width / FONT.shape[2], height / FONT.shape[1]
    for row in range(FONT.shape[1]):
        for column in range(FONT.shape[2]):
            if FONT[index, row, column] > 0:
                fill_rect(canvas, x + column * dot_width, y + row * dot_height, dot_width, dot_height, color)


def number(canvas, value, x, y, width, height, color):
    """Write a whole number from 0 in the middle of a rectangle, as large as fits."""
    write_number(canvas, int(value), float(x), float(y), float(width), float(height), color)


def write_number(canvas, value, x, y, width, height, color):
    """`number` in floats, so that it is compiled once for all mixtures of whole numbers and floats."""
    digits, rest = 1, value // 10
    while rest > 0:
        digits, rest = digits + 1, rest // 10
    pitch = min(width / (digits - 1.0 / 6.0), height * 6.0 / 7.0)  # from digit to digit: five dots and a gap
    tall = pitch * 7.0 / 6.0
    left, top = x + (width - pitch * (digits - 1.0 / 6.0)) / 2.0, y + (height - tall) / 2.0
    rest = value
    for k in range(digits):
        write_letter(canvas, rest % 10, left + pitch * (digits - 1 - k), top, pitch * 5.0 / 6.0, tall, color)
        rest = rest // 10


def _font() -> np.ndarray:
    """Digits and capital letters, seven rows of five dots each, written side by side: (36, 7, 5) uint8."""
    rows = """
    .###. ..#.. .###. ##### ...#. ##### ..##. ##### .###. .###.
    #...# .##.. #...# ...#. ..##. #.... .#... ....# #...# #...#
    #..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...# #...#
    #.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###. .####
    ##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...# ....#
    #...# ..#.. .#... #...# ...#. #...# #...# .#... #...# ...#.
    .###. .###. ##### .###. ...#. .###. .###. .#... .###. .##..

    .###. ####. .###. ###.. ##### ##### .###. #...# .###. ..### #...# #.... #...# #...# .###. ####. .###. ####. .####
    #...# #...# #...# #..#. #.... #.... #...# #...# ..#.. ...#. #..#. #.... ##.## #...# #...# #...# #...# #...# #....
    #...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#. #.#.. #.... #.#.# ##..# #...# #...# #...# #...# #....
    #...# ####. #.... #...# ####. ####. #.### ##### ..#.. ...#. ##... #.... #.#.# #.#.# #...# ####. #...# ####. .###.
    ##### #...# #.... #...# #.... #.... #...# #...# ..#.. ...#. #.#.. #.... #...# #..## #...# #.... #.#.# #.#.. ....#
    #...# #...# #...# #..#. #.... #.... #...# #...# ..#.. #..#. #..#. #.... #...# #...# #...# #.... #..#. #..#. ....#
    #...# ####. .###. ###.. ##### #.... .#### #...# .###. .##.. #...# ##### #...# #...# .###. #.... .##.# #...# ####.

    ##### #...# #...# #...# #...# #...# #####
    ..#.. #...# #...# #...# #...# #...# ....#
    ..#.. #...# #...# #...# .#.#. .#.#. ...#.
    ..#.. #...# #...# #.#.# ..#.. ..#.. ..#..
    ..#.. #...# #...# #.#.# .#.#. ..#.. .#...
    ..#.. #...# .#.#. ##.## #...# ..#.. #....
    ..#.. .###. ..#.. #...# #...# ..#.. #####
    """
    blocks = [[line.split() for line in block.split("\n") if line.strip()] for block in rows.split("\n\n")]
    glyphs = [glyph for block in blocks for glyph in zip(*block, strict=True)]
    font = np.array([[[dot == "#" for dot in row] for row in glyph] for glyph in glyphs], np.uint8)
    font.setflags(write=False)
    return font


FONT = _font()
