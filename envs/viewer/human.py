"""A window that follows an environment: `render_mode="human"`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .desktop import DesktopWindow

NO_DISPLAY = (
    "no display here, so render_mode='human' shows nothing: use render_mode='rgb_array', or set SDL_VIDEODRIVER=dummy for "
    "a window that nobody sees"
)


class Viewer:
    """A window that shows pictures at a person's pace; closing it ends the showing, not the run.

    It opens with the first picture; where there is no screen, a warning says so, and nothing is shown, as with Gymnasium's
    own environments. A copy of an environment gets a window of its own.
    """

    def __init__(self, title: str, fps: int) -> None:
        self.title, self.fps = title, fps
        self.window: DesktopWindow | None = None
        self.closed = False

    def __getstate__(self) -> dict[str, Any]:
        return {"title": self.title, "fps": self.fps, "window": None, "closed": self.closed}

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, (rows, columns, 3) uint8, and wait until its time is over."""
        if self.closed:
            return
        import pygame

        from .desktop import NoDisplay, closes

        try:
            window = self._opened(picture)
        except NoDisplay:
            self.closed = True
            warnings.warn(NO_DISPLAY, stacklevel=2)
            return
        if any(closes(event) for event in window.events()):
            return self.close()
        pygame.surfarray.blit_array(window.surface, picture.swapaxes(0, 1))
        window.flip()
        self.clock.tick(self.fps)

    def _opened(self, picture: np.ndarray) -> DesktopWindow:
        """The window, opened if it is not there; the first picture is its icon, too."""
        if self.window is None or not self.window.alive:
            import pygame

            from .desktop import DesktopWindow

            if self.window is not None:
                self.window.close()
            self.window, self.clock = DesktopWindow(self.title, picture.shape[1::-1]), pygame.time.Clock()
            self.window.icon(pygame.surfarray.make_surface(picture.swapaxes(0, 1)))
        return self.window

    def close(self) -> None:
        """Close the window; may be called twice."""
        if self.window is not None:
            self.window.close()
        self.window, self.closed = None, True
