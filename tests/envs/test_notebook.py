"""HTML for notebooks: whatever is in it, it is text, and its picture is the picture."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ludus.envs.notebook import LONGEST, facts_html, or_nothing, png

HOSTILE = '</div><script>alert("x")</script><img src=x onerror=alert(1)>\x1b[31m\n&amp; "quoted" \'once\''


class Reader(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open += [tag] if tag != "img" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_hostile_words_stay_words():
    picture = np.zeros((4, 6, 3), np.uint8)
    page = Reader(facts_html(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, picture, HOSTILE))
    assert {tag for tag, _ in page.tags} == {"div", "b", "span", "img"} and page.open == []
    assert page.text.count("<script>") == 6 and "\x1b" not in page.text and r"\x1b" in page.text
    ((_, image),) = [one for one in page.tags if one[0] == "img"]
    assert set(image) == {"alt", "width", "height", "src", "style"} and "<script>" in image["alt"]


def test_what_is_too_long_is_cut_and_what_is_empty_is_left_out():
    page = Reader(facts_html("a", "b", "", {"long": "x" * 10_000, "empty": ""}))
    assert "empty" not in page.text and "x" * (LONGEST - 4) + " ..." in page.text and len(page.text) < 2 * LONGEST


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (160, 320)])
def test_a_picture_is_exact(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    with Image.open(io.BytesIO(png(picture))) as image:
        assert np.array_equal(np.array(image), picture)
    source = re.search(r'src="data:image/png;base64,([^"]+)"', facts_html("a", "b", "c", {}, picture))[1]
    assert base64.b64decode(source) == png(picture)


def test_colours_are_those_of_the_page():
    """Light or dark: no letter has a colour of its own, and nothing has a background."""
    page = facts_html("a", "b", "c", {"d": "e"}, np.zeros((2, 2, 3), np.uint8), "f")
    assert not re.search(r"[\"; ](color|background)", page) and "<style" not in page


def test_what_fails_is_nothing():
    assert or_nothing(lambda: "made")() == "made"
    assert or_nothing(lambda: 1 / 0)() is None
