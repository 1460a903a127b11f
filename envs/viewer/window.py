"""The window of `ludus play` and `watch`: a game's picture, a panel beside it, and input from keys and mouse.

`run` shows a session until it is closed. What is painted where is in `board`, `panel`, `overlay` and `sight`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pygame

from ..engine.kernel import SPECTATOR
from .board import paint_card, paint_marks, paint_picture, paint_rules, placed, rules_of
from .brush import NIGHT, Brush
from .desktop import DesktopWindow, NoDisplay, closes, find_display
from .panel import WIDTH as PANEL
from .panel import paint_panel, paint_strip
from .scene import CLOSED, Scene, Session
from .sight import WIDTH as SIGHT
from .sight import paint_sight

if TYPE_CHECKING:
    from ..engine.simulator import Simulator

BOARD = 640  # points: longer side of the picture in a window that just opened
SMALLEST = (320, 240)  # pixels
LEAST_BOARD, LEAST_PANEL = 280, 370  # points: width of a picture, height of a window, below which the panel goes
LEAST_BESIDE = BOARD - SIGHT  # points: width of a picture below which what an agent sees goes
STRIP, LEAST_STRIP = 30, 120  # points: height of the line that stands in for the panel, of a window that has it
DETAIL = 2  # the picture is drawn this much larger and scaled down, which smooths its edges
FRAME_RATE = 60  # a second, at most
RULES, FULL_SCREEN = "h", "f11"  # keys that work whatever is in the window


def run(session: Session, caption: str, sight: bool = False) -> None:
    """Open a window on a session's game and stay until either is closed; Ctrl-C closes it too. See `Window`."""
    with Window(session.sim, caption, sight) as window:
        try:
            while not session.closed:
                for key in window.pressed():
                    session.press(key)
                for x, y in window.clicks:
                    session.click(x, y)
                session.point(window.pointer)
                passed = window.tick()
                if not window.rules:
                    session.advance(passed, window.held)
                window.show(session.scene())
        except KeyboardInterrupt:
            pass


class Window:
    """Opens a window on game number 0 of a simulator; `with Window(...)` closes it whatever happens.

    Args:
        sim: the games.
        caption: what the window's frame says.
        sight: open it so wide that there is room for what an agent sees.

    Attributes:
        held: pygame's names of the keys that are down, the last pressed at the end.
        clicks: places of the picture, in the game's units, that the last call of `pressed` found clicked.
        pointer: the place of the picture under the mouse; None: it is elsewhere.
        rules: whether the rules are shown, over everything; time stands still then.

    Raises:
        NoDisplay: there is no screen.
    """

    def __init__(self, sim: Simulator, caption: str, sight: bool = False) -> None:
        self.sim, self._sight = sim, sight
        self.held: list[str] = []
        self.clicks: list[tuple[float, float]] = []
        self.pointer: tuple[float, float] | None = None
        self.rules, self._scroll = False, 0
        width, height = sim.game.canvas
        scale = BOARD / max(width, height)
        size = round(width * scale) + PANEL + SIGHT * sight, max(round(height * scale), BOARD)
        self.desktop = DesktopWindow(caption, size, SMALLEST)
        self.clock = pygame.time.Clock()
        self._brush = Brush(self.surface)
        self.wait()
        self._shown: Any = None
        self._picture: tuple[bytes, pygame.Surface] | None = None

    def wait(self) -> None:
        """Say that the first picture takes seconds: each game's drawing is compiled once."""
        self.surface.fill(NIGHT)
        middle = self.surface.get_rect().center
        self.brush.text("preparing the picture ...", "message", *middle, align=0.5)
        self.desktop.flip()
        pygame.event.pump()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.desktop.close()

    @property
    def surface(self) -> pygame.Surface:
        """The picture of the whole window."""
        return self.desktop.surface

    @property
    def brush(self) -> Brush:
        """It paints larger in larger windows, in steps of an eighth."""
        width, height = self.surface.get_size()
        scale = max(int(8 * min(width / (BOARD + PANEL), height / BOARD)) / 8, 1.0)
        if self._brush.scale != scale:
            self._brush = Brush(self.surface, scale)
        self._brush.surface = self.surface
        return self._brush

    def areas(self) -> tuple[pygame.Rect, str]:
        """Where the picture may be, in pixels, and what else there is room for: "panel", "strip" or nothing ("")."""
        width, height = self.surface.get_size()
        scale = self.brush.scale
        if width >= (PANEL + LEAST_BOARD) * scale and height >= LEAST_PANEL * scale:
            both = PANEL + SIGHT if self._sight and width >= (PANEL + SIGHT + LEAST_BESIDE) * scale else PANEL
            return pygame.Rect(0, 0, width - round(both * scale), height), "panel"
        if height >= LEAST_STRIP * scale:
            return pygame.Rect(0, 0, width, height - round(STRIP * scale)), "strip"
        return pygame.Rect(0, 0, width, height), ""

    # what people do

    def pressed(self) -> list[str]:
        """pygame's names of the keys pressed since the last call, in order, and CLOSED if the window was closed.

        The keys of the rules and of the full screen are the window's own affair and not among them.
        """
        names, self.clicks = [], []
        for event in self.desktop.events():
            if closes(event):
                names.append(CLOSED)
            elif event.type == pygame.KEYDOWN:
                names += self._key_down(key_name(event))
            elif event.type == pygame.KEYUP:
                self.held = [key for key in self.held if key != key_name(event)]
            elif event.type == pygame.MOUSEMOTION:
                self.pointer = self._place_of(event.pos)
            elif event.type == pygame.WINDOWLEAVE:
                self.pointer = None
            elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
                self._click(event.pos)
            elif event.type == pygame.MOUSEWHEEL:
                self._scroll = max(self._scroll - 2 * event.y, 0)
            elif event.type == pygame.WINDOWFOCUSLOST:
                self.held = []
        return names if self.desktop.alive else [*names, CLOSED]

    def _key_down(self, name: str) -> list[str]:
        """The key, if it is not for the window itself."""
        if name == FULL_SCREEN:
            self.desktop.toggle_full_screen()
        elif self.rules and name in ("up", "down"):
            self._scroll = max(self._scroll + (2 if name == "down" else -2), 0)
        elif self.rules or name == RULES:
            self.rules, self._scroll = not self.rules, 0
        else:
            self.held = [key for key in self.held if key != name] + [name]
            return [name]
        return []

    def _click(self, position: tuple[int, int]) -> None:
        if self.rules:
            self.rules = False
        elif (place := self._place_of(position)) is not None:
            self.clicks.append(place)

    def _place_of(self, position: tuple[int, int]) -> tuple[float, float] | None:
        """Where a pixel of the window is in the game, if it is in the picture."""
        width, height = self.sim.game.canvas
        place = placed(width, height, self.areas()[0])
        if not place.collidepoint(position):
            return None
        return (position[0] - place.x) * width / place.width, (position[1] - place.y) * height / place.height

    def tick(self) -> float:
        """Wait for the next frame; returns the seconds since the last one, at most a quarter."""
        return min(self.clock.tick(FRAME_RATE) / 1000, 0.25)

    # what they see

    def show(self, scene: Scene) -> None:
        """Paint the window, unless it looks like this already."""
        if not self.desktop.alive:
            return
        self._sight = scene.sight is not None
        picture = self.picture(scene.viewer)
        looks = (scene, picture, self.surface.get_size(), self.rules, self._scroll)
        if looks == self._shown:
            return
        self._shown = looks
        self.surface.fill(NIGHT)
        self._paint(scene, picture)
        if self.rules:
            self._scroll = min(
                self._scroll, paint_rules(self.brush, rules_of(self.sim.game, scene.controls), self._scroll)
            )
        self.desktop.flip()

    def _paint(self, scene: Scene, picture: pygame.Surface) -> None:
        brush, (board, beside) = self.brush, self.areas()
        paint_picture(self.surface, picture, board)
        place = placed(*picture.get_size(), board)
        paint_marks(self.surface, scene.marks, place, place.width / self.sim.game.canvas[0])
        if scene.card is not None:
            paint_card(brush, scene.card, board)
        width, height = (length / brush.scale for length in self.surface.get_size())
        if beside == "panel":
            paint_panel(brush, scene, width - PANEL, height)
            if scene.sight is not None and board.width < self.surface.get_width() - round(PANEL * brush.scale):
                paint_sight(brush, scene.sight, width - PANEL - SIGHT, height)
        elif beside == "strip":
            paint_strip(brush, scene, width, height - STRIP, STRIP)

    def picture(self, viewer: int = SPECTATOR) -> pygame.Surface:
        """The game as a player sees it now; the same object as long as nothing moved."""
        size = max(BOARD * DETAIL, max(self.areas()[0].size))
        record = self.sim.records[0].tobytes() + bytes([viewer + 1]) + size.to_bytes(2)
        if self._picture is None or self._picture[0] != record:
            surface = self._drawn(size, viewer)
            if self._picture is None:
                self.desktop.icon(surface)
            self._picture = record, surface
        return self._picture[1]

    def _drawn(self, size: int, viewer: int) -> pygame.Surface:
        frame = self.sim.frame(0, size, viewer)
        return pygame.image.frombuffer(frame.tobytes(), frame.shape[1::-1], "RGB")


def key_name(event: pygame.event.Event) -> str:
    """pygame's name of the key, or the sign it writes where keyboards differ in what they have beneath it."""
    sign = getattr(event, "unicode", "")
    return sign if sign in ("+", "-") else pygame.key.name(event.key)


__all__ = ["BOARD", "PANEL", "NoDisplay", "Window", "find_display", "run"]
