"""The pictures of the window can be made, without a screen."""

import importlib.util
from pathlib import Path

import pygame
import pytest

SPEC = importlib.util.spec_from_file_location("screenshots", Path(__file__).parents[2] / "docs" / "screenshots.py")
screenshots = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(screenshots)


@pytest.mark.parametrize("name", ["wilds-small", "four-lost", "breakout-watched"])
def test_a_picture_shows_the_window(name, tmp_path):
    picture = pygame.image.load(screenshots.shoot(name, tmp_path))
    assert picture.get_size() == (screenshots.CASES[name][1] or (980, 640))
    pixels = pygame.surfarray.array3d(picture)
    assert pixels.std() > 10
