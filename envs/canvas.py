"""Drawing inside compiled rules, in the game's own units: the same calls fill 64x64 pixels and a 640x640 window.

A canvas is a tuple `(pixels, width, height)`: a uint8 array of shape (rows, columns, 3) for RGB or (rows, columns, 1) for
grayscale, and the size of the picture in the game's units (cells, usually). x runs to the right, y runs down, and colours
are `(red, green, blue)` from 0 to 255. What lies outside the picture is cut off.
"""

import numpy as np


def luma(color):
    """The grey of a colour (ITU-R BT.601 weights), 0 to 255."""
    return (299 * color[0] + 587 * color[1] + 114 * color[2]) // 1000


def pixel_of(position, scale, limit):
    """The pixel edge nearest to a position in game units, kept inside the picture."""
    return min(max(int(position * scale + 0.5), 0), limit)


def paint(pixels, row, column, color):
    """Set one pixel."""
    if pixels.shape[2] == 1:
        pixels[row, column, 0] = luma(color)
    else:
        pixels[row, column, 0] = color[0]
        pixels[row, column, 1] = color[1]
        pixels[row, column, 2] = color[2]


def rect(canvas, x, y, width, height, color):
    """Fill a rectangle whose top left corner is (x, y)."""
    pixels, units_wide, units_high = canvas
    rows, columns, channels = pixels.shape
    left = pixel_of(x, columns / units_wide, columns)
    right = pixel_of(x + width, columns / units_wide, columns)
    top = pixel_of(y, rows / units_high, rows)
    bottom = pixel_of(y + height, rows / units_high, rows)
    if top >= bottom:
        return
    for column in range(left, right):
        paint(pixels, top, column, color)
    for row in range(top + 1, bottom):  # copying a row is several times faster than painting it
        for column in range(left, right):
            for channel in range(channels):
                pixels[row, column, channel] = pixels[top, column, channel]


def fill(canvas, color):
    """Fill the whole picture."""
    rect(canvas, 0.0, 0.0, canvas[1], canvas[2], color)


def ellipse(canvas, x, y, width, height, color):
    """Fill the ellipse inside the rectangle whose top left corner is (x, y)."""
    pixels, units_wide, units_high = canvas
    rows, columns, _ = pixels.shape
    scale_x, scale_y = columns / units_wide, rows / units_high
    left, right = pixel_of(x, scale_x, columns), pixel_of(x + width, scale_x, columns)
    top, bottom = pixel_of(y, scale_y, rows), pixel_of(y + height, scale_y, rows)
    for row in range(top, bottom):
        v = ((row + 0.5) / scale_y - y) / height * 2.0 - 1.0
        for column in range(left, right):
            u = ((column + 0.5) / scale_x - x) / width * 2.0 - 1.0
            if u * u + v * v <= 1.0:
                paint(pixels, row, column, color)


def triangle(canvas, x1, y1, x2, y2, x3, y3, color):
    """Fill the triangle with the three given corners, in either order."""
    pixels, units_wide, units_high = canvas
    rows, columns, _ = pixels.shape
    scale_x, scale_y = columns / units_wide, rows / units_high
    left, right = pixel_of(min(x1, x2, x3), scale_x, columns), pixel_of(max(x1, x2, x3), scale_x, columns)
    top, bottom = pixel_of(min(y1, y2, y3), scale_y, rows), pixel_of(max(y1, y2, y3), scale_y, rows)
    for row in range(top, bottom):
        y = (row + 0.5) / scale_y
        for column in range(left, right):
            x = (column + 0.5) / scale_x
            side_1 = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
            side_2 = (x3 - x2) * (y - y2) - (y3 - y2) * (x - x2)
            side_3 = (x1 - x3) * (y - y3) - (y1 - y3) * (x - x3)
            if (side_1 >= 0 and side_2 >= 0 and side_3 >= 0) or (side_1 <= 0 and side_2 <= 0 and side_3 <= 0):
                paint(pixels, row, column, color)


def sprite(canvas, image, x, y, width, height, flip=False):
    """Draw a picture made by `bitmap`, stretched to the given rectangle; `flip` mirrors it left to right."""
    pixels, units_wide, units_high = canvas
    rows, columns, _ = pixels.shape
    image_rows, image_columns, _ = image.shape
    left = int(np.floor(x * columns / units_wide + 0.5))
    right = int(np.floor((x + width) * columns / units_wide + 0.5))
    top = int(np.floor(y * rows / units_high + 0.5))
    bottom = int(np.floor((y + height) * rows / units_high + 0.5))
    for row in range(max(top, 0), min(bottom, rows)):
        image_row = (2 * (row - top) + 1) * image_rows // (2 * (bottom - top))
        for column in range(max(left, 0), min(right, columns)):
            image_column = (2 * (column - left) + 1) * image_columns // (2 * (right - left))
            if flip:
                image_column = image_columns - 1 - image_column
            if image[image_row, image_column, 3] > 0:
                red, green, blue = image[image_row, image_column, 0], image[image_row, image_column, 1], image[image_row, image_column, 2]
                paint(pixels, row, column, (np.int64(red), np.int64(green), np.int64(blue)))


def bitmap(picture: str, **colors: tuple[int, int, int]) -> np.ndarray:
    """Make a sprite from text, one letter a pixel: `bitmap(".x.\\nxxx", x=(255, 200, 0))`; other letters are see-through.

    Returns a uint8 array of shape (rows, columns, 4): red, green, blue, and 255 where the sprite is solid.
    """
    lines = [line.strip() for line in picture.strip().splitlines()]
    if len({len(line) for line in lines}) != 1:
        raise ValueError(f"bitmap rows must be equally long, got lengths {sorted({len(line) for line in lines})}")
    image = np.zeros((len(lines), len(lines[0]), 4), np.uint8)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            if letter in colors:
                image[row, column] = (*colors[letter], 255)
    image.setflags(write=False)
    return image
