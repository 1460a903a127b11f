"""A window on one game: its picture, a panel beside it, and the keys that people press. Knows no agents.

`run` shows a session until it is closed. Sections of the panel are one function each, below the window.
"""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before the import, which would greet us

import pygame

from .errors import LudusError
from .kernel import SPECTATOR
from .scene import CLOSED, Card, Scene, Session, Thoughts, number

if TYPE_CHECKING:
    from .simulator import Simulator

BOARD, PANEL, MARGIN = 640, 280, 24  # pixels: longer side of the picture, width of the panel, its inner margin
DETAIL = 2  # the picture is drawn this much larger and scaled down, which smooths its edges
FRAME_RATE = 60  # a second, at most
UNSEEN = ("offscreen", "dummy")  # SDL's drivers that show nothing, which it may choose by itself

NIGHT, SLATE, TRACK, LINE = (11, 13, 19), (20, 23, 32), (33, 38, 52), (36, 41, 56)
INK, MUTED, FAINT = (232, 235, 243), (148, 156, 176), (116, 124, 148)
ACCENT, BAR, ROW = (130, 170, 255), (70, 86, 128), (29, 35, 52)

FAMILIES = ("inter", "segoeui", "sfnstext", "helveticaneue", "notosans", "opensans", "dejavusans", "arial")
STYLES = {  # size in pixels, bold, colour
    "title": (25, True, INK),
    "body": (13, False, MUTED),
    "label": (10, True, FAINT),
    "score": (44, True, INK),
    "fact": (15, True, INK),
    "name": (13, False, MUTED),
    "chosen": (13, True, INK),
    "key": (11, True, MUTED),
    "headline": (40, True, INK),
    "message": (16, False, MUTED),
    "prompt": (16, True, ACCENT),
}


class NoDisplay(LudusError, RuntimeError):
    """There is no screen to open a window on."""


def run(session: Session, caption: str) -> None:
    """Open a window on a session's game and stay until either is closed; Ctrl-C closes it too."""
    with Window(session.sim, caption) as window:
        try:
            while not session.closed:
                for key in window.pressed():
                    session.press(key)
                for x, y in window.clicks:
                    session.click(x, y)
                session.advance(window.tick(), window.held)
                window.show(session.scene())
        except KeyboardInterrupt:
            pass


class Window:
    """Opens a window on game number 0 of a simulator; `with Window(...)` closes it whatever happens.

    Attributes:
        surface: the picture of the whole window.
        held: pygame's names of the keys that are down, the last pressed at the end.
        clicks: places of the picture, in the game's units, that the last call of `pressed` found clicked.

    Raises:
        NoDisplay: there is no screen.
    """

    def __init__(self, sim: Simulator, caption: str) -> None:
        self.sim = sim
        self.held: list[str] = []
        self.clicks: list[tuple[float, float]] = []
        width, height = sim.game.canvas
        scale = BOARD / max(width, height)
        find_display()
        pygame.font.init()
        pygame.display.set_caption(caption)
        size = round(width * scale) + PANEL, max(round(height * scale), BOARD)
        self.surface = pygame.display.set_mode(size, pygame.RESIZABLE)
        self.brush = Brush(self.surface)
        self.clock = pygame.time.Clock()
        self.wait()
        self._shown: Any = None
        self._picture: tuple[bytes, pygame.Surface] | None = None

    def wait(self) -> None:
        """Say that the first picture takes seconds: each game's drawing is compiled once."""
        middle = self.surface.get_rect().center
        self.surface.fill(NIGHT)
        self.brush.text("preparing the picture ...", "message", *middle, align=0.5)
        pygame.display.flip()
        pygame.event.pump()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pygame.quit()

    def pressed(self) -> list[str]:
        """pygame's names of the keys pressed since the last call, in order, and CLOSED if the window was closed."""
        names, self.clicks = [], []
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                names.append(CLOSED)
            elif event.type == pygame.KEYDOWN:
                name = key_name(event)
                names.append(name)
                self.held = [key for key in self.held if key != name] + [name]
            elif event.type == pygame.KEYUP:
                self.held = [key for key in self.held if key != key_name(event)]
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                self.clicks += self._place_of(event.pos)
            elif event.type == pygame.WINDOWFOCUSLOST:
                self.held = []
        return names

    def _place_of(self, position: tuple[int, int]) -> list[tuple[float, float]]:
        """Where a pixel of the window is in the game, if it is in the picture."""
        width, height = self.sim.game.canvas
        window_width, window_height = self.surface.get_size()
        place = placed(
            round(width * 100), round(height * 100), pygame.Rect(0, 0, max(window_width - PANEL, 1), window_height)
        )
        if not place.collidepoint(position):
            return []
        return [((position[0] - place.x) * width / place.width, (position[1] - place.y) * height / place.height)]

    def tick(self) -> float:
        """Wait for the next frame; returns the seconds since the last one, at most a quarter."""
        return min(self.clock.tick(FRAME_RATE) / 1000, 0.25)

    def show(self, scene: Scene) -> None:
        """Paint the window, unless it looks like this already."""
        picture = self.picture(scene.viewer)
        self.surface = self.brush.surface = pygame.display.get_surface() or self.surface
        looks = (scene, picture, self.surface.get_size())
        if looks == self._shown:
            return
        self._shown = looks
        width, height = self.surface.get_size()
        self.surface.fill(NIGHT)
        board = pygame.Rect(0, 0, max(width - PANEL, 1), height)
        paint_picture(self.surface, picture, board)
        if scene.card is not None:
            paint_card(self.brush, scene.card, board)
        paint_panel(self.brush, scene, pygame.Rect(board.right, 0, PANEL, height))
        pygame.display.flip()

    def picture(self, viewer: int = SPECTATOR) -> pygame.Surface:
        """The game as a player sees it now; the same object as long as nothing moved."""
        record = self.sim.records[0].tobytes() + bytes([viewer + 1])
        if self._picture is None or self._picture[0] != record:
            frame = self.sim.frame(0, BOARD * DETAIL, viewer)
            self._picture = record, pygame.image.frombuffer(frame.tobytes(), frame.shape[1::-1], "RGB")
        return self._picture[1]


def find_display() -> None:
    """Connect to a screen; raises NoDisplay where there is none."""
    no_display = NoDisplay("no display here; use `ludus record AGENT --out play.gif` instead")
    wanted = os.environ.get("SDL_VIDEODRIVER")
    if sys.platform == "linux" and not (wanted or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise no_display
    try:
        pygame.display.init()
        if not wanted and pygame.display.get_driver() in UNSEEN:
            raise pygame.error("SDL found no screen")
    except pygame.error as error:
        pygame.quit()
        raise no_display from error


def key_name(event: pygame.event.Event) -> str:
    """pygame's name of the key, or the sign it writes where keyboards differ in what they have beneath it."""
    sign = getattr(event, "unicode", "")
    return sign if sign in ("+", "-") else pygame.key.name(event.key)


class Brush:
    """Text and shapes on a surface."""

    def __init__(self, surface: pygame.Surface) -> None:
        self.surface = surface
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pygame warns where it finds no fonts; it has one of its own
            paths = {bold: pygame.font.match_font(FAMILIES, bold=bold) for bold in (False, True)}
        self.fonts = {name: load_font(paths[bold], size) for name, (size, bold, _) in STYLES.items()}

    def width(self, words: str, style: str) -> int:
        return self.fonts[style].size(words)[0]

    def height(self, style: str) -> int:
        return self.fonts[style].get_linesize()

    def text(self, words: str, style: str, x: int, y: int, *, width: int = 10_000, align: float = 0.0) -> None:
        """Write one line, cut to `width`; x is its left end (align 0), middle (0.5) or right end (1), y its top."""
        if self.width(words, style) > width:
            while words and self.width(words + "…", style) > width:
                words = words[:-1]
            words += "…"
        image = self.fonts[style].render(words, True, STYLES[style][2])
        self.surface.blit(image, (x - round(image.get_width() * align), y))

    def wrap(self, words: str, style: str, width: int) -> list[str]:
        """Break words into lines of at most that width."""
        lines: list[str] = []
        for word in words.split():
            if lines and self.width(f"{lines[-1]} {word}", style) <= width:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def box(self, x: float, y: float, width: float, height: float, color: Any, radius: int = 4) -> None:
        pygame.draw.rect(self.surface, color, (round(x), round(y), round(width), round(height)), border_radius=radius)

    def key_width(self, name: str) -> int:
        return max(self.width(name, "key") + 12, 20)

    def key(self, name: str, x: int, y: int) -> int:
        """Draw a key cap, 20 pixels high; returns its width."""
        width = self.key_width(name)
        self.box(x, y, width, 20, LINE)
        self.box(x, y, width, 18, TRACK)
        self.text(name, "key", x + width // 2, y + (18 - self.height("key")) // 2, align=0.5)
        return width


def load_font(path: str | None, size: int) -> pygame.font.Font:
    """A font whose size means the same for the system's fonts and for pygame's own, which pygame shrinks."""
    return pygame.font.Font(path, size) if path else pygame.font.Font(None, round(size / 0.6875))


def paint_picture(surface: pygame.Surface, picture: pygame.Surface, board: pygame.Rect) -> None:
    """The game, as large as fits and in the middle."""
    place = placed(picture.get_width(), picture.get_height(), board)
    surface.blit(pygame.transform.smoothscale(picture, place.size), place)


def placed(width: int, height: int, board: pygame.Rect) -> pygame.Rect:
    """Where a picture of that shape is shown: as large as fits and in the middle."""
    scale = min(board.width / width, board.height / height)
    place = pygame.Rect(0, 0, max(round(width * scale), 1), max(round(height * scale), 1))
    place.center = board.center
    return place


def paint_card(brush: Brush, card: Card, board: pygame.Rect) -> None:
    """Dim the picture and write over its middle."""
    dim = pygame.Surface(board.size, pygame.SRCALPHA)
    dim.fill((*NIGHT, 216))
    brush.surface.blit(dim, board)
    x, lines = board.centerx, brush.wrap(card.text, "message", min(board.width - 2 * MARGIN, 440))
    height = 64 + 24 * len(lines) + 30 * len(card.keys) + (24 if card.keys else 0) + (56 if card.prompt else 0)
    y = board.centery - height // 2
    brush.text(card.title, "headline", x, y, align=0.5, width=board.width)
    y += 64
    for line in lines:
        brush.text(line, "message", x, y, align=0.5)
        y += 24
    y += 24 if card.keys else 0
    for keys, what in card.keys.items():
        caps = sum(brush.key_width(name) + 4 for name in keys.split())
        paint_key(brush, keys, what, x - caps, y, board.width // 2)
        y += 30
    brush.text(card.prompt, "prompt", x, y + 28, align=0.5)


def paint_panel(brush: Brush, scene: Scene, panel: pygame.Rect) -> None:
    """Everything beside the picture: from the top down, the keys from the bottom up, the overlay between them."""
    pygame.draw.rect(brush.surface, SLATE, panel)
    left, width = panel.x + MARGIN, panel.width - 2 * MARGIN
    brush.text(scene.title, "title", left, 22, width=width)
    brush.text(scene.subtitle, "body", left, 54, width=width)
    y = paint_facts(brush, scene, left, 90, width)
    floor = paint_keys(brush, scene, left, panel.bottom - MARGIN, width)
    if scene.thoughts is not None:
        paint_thoughts(brush, scene.thoughts, left, y + 10, width, floor - 12)


def paint_facts(brush: Brush, scene: Scene, x: int, y: int, width: int) -> int:
    """The score, and the facts in two columns; returns where they end."""
    brush.text("SCORE", "label", x, y)
    brush.text(number(scene.score), "score", x - 2, y + 10, width=width)
    y += 72
    for k, (name, value) in enumerate(scene.facts.items()):
        left, top = x + (k % 2) * (width // 2 + 4), y + (k // 2) * 42
        brush.text(name.upper(), "label", left, top, width=width // 2)
        brush.text(value, "fact", left, top + 13, width=width // 2)
    return y + -(-len(scene.facts) // 2) * 42


def paint_keys(brush: Brush, scene: Scene, x: int, y: int, width: int) -> int:
    """The status line and the keys in two columns, ending at y; returns where they start."""
    rows = -(-len(scene.keys) // 2)
    y -= rows * 26 - 6
    for k, (keys, what) in enumerate(scene.keys.items()):
        paint_key(brush, keys, what, x + (k // rows) * (width // 2 + 4), y + (k % rows) * 26, width // 2)
    top = y - 34
    pygame.draw.line(brush.surface, LINE, (x, top - 12), (x + width, top - 12))
    pygame.draw.aacircle(brush.surface, ACCENT if scene.live else FAINT, (x + 4, top + 8), 4)
    brush.text(scene.status, "body", x + 16, top + 8 - brush.height("body") // 2, width=width - 16)
    return top - 12


def paint_key(brush: Brush, keys: str, what: str, x: int, y: int, width: int) -> None:
    """Key caps, one for each word of `keys`, and what they do."""
    left = x
    for name in keys.split():
        left += brush.key(name, left, y) + 4
    brush.text(what, "body", left + 4, y + 10 - brush.height("body") // 2, width=x + width - left - 4)


def paint_thoughts(brush: Brush, thoughts: Thoughts, x: int, y: int, width: int, floor: int) -> None:
    """How likely each action is, or what it is worth, the one chosen highlighted, and what the agent expects."""
    pygame.draw.line(brush.surface, LINE, (x, y - 8), (x + width, y - 8))
    brush.text("VALUE OF EACH ACTION" if thoughts.worth else "NEXT ACTION", "label", x, y + 4)
    y += 22
    shown = most_likely(thoughts, max((floor - y - 30) // 22, 1))
    name_width = min(max(brush.width(thoughts.actions[k], "chosen") for k in shown), width // 3) + 12
    for k in shown:
        chosen, share = k == thoughts.chosen, share_of(thoughts, k)
        if chosen:
            brush.box(x - 8, y, width + 16, 22, ROW)
        middle = y + 11 - brush.height("name") // 2
        brush.text(thoughts.actions[k], "chosen" if chosen else "name", x, middle, width=name_width)
        paint_bar(brush, share, x + name_width, y + 8, width - name_width - 58, ACCENT if chosen else BAR)
        brush.text(
            label_of(thoughts.numbers[k], thoughts.worth), "chosen" if chosen else "name", x + width, middle, align=1
        )
        y += 22
    paint_values(brush, thoughts.values, x, y + 8, width, floor)


def share_of(thoughts: Thoughts, k: int) -> float:
    """How long an action's bar is, 0 to 1: its probability, or where its value lies between the least and the greatest."""
    if not thoughts.worth:
        return thoughts.numbers[k]
    allowed = [value for value in thoughts.numbers if value > -math.inf]
    if thoughts.numbers[k] == -math.inf or not allowed:
        return 0.0
    span = max(max(allowed) - min(allowed), 1e-6)
    return 0.08 + 0.92 * (thoughts.numbers[k] - min(allowed)) / span


def label_of(number: float, worth: bool) -> str:
    """A probability in per cent, a value with its sign."""
    if not worth:
        return f"{100 * number:.0f} %"
    return "-" if number == -math.inf else f"{number:+.2f}"


def most_likely(thoughts: Thoughts, count: int) -> Sequence[int]:
    """The actions to show where there is no room for all, in their own order; always with the one chosen."""
    order = sorted(range(len(thoughts.actions)), key=lambda k: (k != thoughts.chosen, -thoughts.numbers[k]))
    return sorted(order[:count])


def paint_bar(brush: Brush, share: float, x: int, y: int, width: int, color: Any) -> None:
    brush.box(x, y, width, 6, TRACK, 3)
    if share * width >= 1:
        brush.box(x, y, max(share * width, 6), 6, color, 3)


def paint_values(brush: Brush, values: tuple[float, ...], x: int, y: int, width: int, floor: int) -> None:
    """The return that the agent expects from here on, and how that went in this episode."""
    brush.text("EXPECTED RETURN", "label", x, y + 3)
    brush.text(f"{values[-1]:+.2f}", "chosen", x + width, y, align=1)
    top, bottom = y + 24, min(y + 64, floor)
    if bottom - top < 16:
        return
    shown = values[-width // 2 :]
    stride = width / max(len(shown) - 1, 40)
    low, span = min(shown), max(max(shown) - min(shown), 0.1)
    points = [(x + stride * k, bottom - 2 - (value - low) / span * (bottom - top - 4)) for k, value in enumerate(shown)]
    if len(points) > 1:
        pygame.draw.polygon(brush.surface, ROW, [(x, bottom), *points, (points[-1][0], bottom)])
        pygame.draw.aalines(brush.surface, ACCENT, False, points)
    pygame.draw.aacircle(brush.surface, ACCENT, points[-1], 3)
