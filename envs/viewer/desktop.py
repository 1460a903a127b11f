"""The operating system's side of windows: several in one process, each with its own picture and events.

Windows of other libraries in the same process (Gymnasium's, say) live beside these, and may close the connection to the
screen under them: then they are lost, which `alive` tells, and can be opened again.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any
from weakref import WeakSet, finalize

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before the import, which would greet us

import pygame

from ..errors import LudusError

ICON = 64  # pixels of its longer side
UNSEEN = ("offscreen", "dummy")  # SDL's drivers that show nothing, which it may choose by itself

_open: WeakSet[DesktopWindow] = WeakSet()
_lost: list[pygame.Window] = []  # never freed: pygame would close whichever window lies where theirs lay
_connected = False  # the connection to the screen is ours to close


class NoDisplay(LudusError, RuntimeError):
    """There is no screen to open a window on."""


class DesktopWindow:
    """A window of the operating system's.

    Args:
        title: what its frame and the list of windows say.
        size: width and height of its surface, in pixels.
        smallest: the size down to which people can change it; None: they cannot.

    Raises:
        NoDisplay: there is no screen.
    """

    def __init__(self, title: str, size: tuple[int, int], smallest: tuple[int, int] | None = None) -> None:
        find_display()
        self.window = pygame.Window(title, size, resizable=smallest is not None)
        if smallest is not None:
            self.window.minimum_size = smallest
        self._events: list[pygame.event.Event] = []
        self._full = False
        self._close = finalize(self, _dispose, self.window)  # at the latest when nobody has it any more
        _open.add(self)

    @property
    def surface(self) -> pygame.Surface:
        """Its picture, of the size it has now; `flip` shows it."""
        return self.window.get_surface()

    @property
    def alive(self) -> bool:
        """Whether it is still there: closed neither by `close` nor with the connection to the screen."""
        return self._close.alive and _exists(self.window)

    def events(self) -> list[pygame.event.Event]:
        """What happened to it since the last call, in order."""
        for event in pygame.event.get() if pygame.display.get_init() else ():
            for window in _open:
                if getattr(event, "window", window.window) == window.window:
                    window._events.append(event)
        happened, self._events = self._events, []
        return happened

    def flip(self) -> None:
        """Show the surface as it is now."""
        self.window.flip()

    def icon(self, picture: pygame.Surface) -> None:
        """Show a small copy of a picture in its frame and in lists of windows."""
        width, height = picture.get_size()
        size = max(ICON * width // max(width, height), 1), max(ICON * height // max(width, height), 1)
        self.window.set_icon(pygame.transform.smoothscale(picture, size))

    def toggle_full_screen(self) -> None:
        """Fill the screen, or be a window again."""
        self._full = not self._full
        self.window.set_fullscreen(desktop=True) if self._full else self.window.set_windowed()

    def close(self) -> None:
        """Close it, and the connection to the screen after the last one; may be called twice."""
        global _connected
        self._close()
        _open.discard(self)
        if _connected and not any(window.alive for window in _open) and not _others_window():
            pygame.display.quit()
            _connected = False


def _exists(window: pygame.Window) -> bool:
    try:
        return window.get_surface() is not None
    except pygame.error:
        return False


def _dispose(window: pygame.Window) -> None:
    window.destroy() if _exists(window) else _lost.append(window)


def closes(event: pygame.event.Event) -> bool:
    """Whether somebody wants the window closed."""
    return event.type in (pygame.QUIT, pygame.WINDOWCLOSE)


def find_display() -> None:
    """Connect to a screen, unless that is done already; raises NoDisplay where there is none."""
    global _connected
    before = pygame.display.get_init()
    no_display = NoDisplay("no display here; use `ludus record AGENT --out play.gif` instead")
    wanted = os.environ.get("SDL_VIDEODRIVER")
    if sys.platform == "linux" and not (wanted or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise no_display
    try:
        pygame.display.init()
        if not wanted and pygame.display.get_driver() in UNSEEN:
            raise pygame.error("SDL found no screen")
    except pygame.error as error:
        if not before:
            pygame.display.quit()
        raise no_display from error
    _connected = _connected or not before


def _others_window() -> bool:
    return pygame.display.get_init() and pygame.display.get_surface() is not None


def key_names() -> set[str]:
    """pygame's names of all keys."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pygame warns of names before it has seen a keyboard
        codes: list[Any] = [getattr(pygame, name) for name in dir(pygame) if name.startswith("K_")]
        return {pygame.key.name(code) for code in codes} - {""}
