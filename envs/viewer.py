"""The windows that `render_mode="human"` opens."""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np


class Viewer:
    """A window that shows pictures at a person's pace; closing it ends the showing, not the run.

    There may be several in a process. A copy opens a window of its own.
    """

    _of_window: ClassVar[WeakValueDictionary[Any, Viewer]] = WeakValueDictionary()

    def __init__(self, title: str, fps: int) -> None:
        self.title, self.fps = title, fps
        self.window: Any = None
        self.closed = False

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, (rows, columns, 3) uint8, and wait until its time is over."""
        import pygame

        if self.closed:
            return
        if self.window is None or not pygame.display.get_init():  # another library may have ended pygame
            pygame.display.init()
            self.window, self._clock = pygame.Window(self.title, picture.shape[1::-1]), pygame.time.Clock()
            self._of_window[self.window] = self
        self._close_as_asked(pygame.event.get((pygame.WINDOWCLOSE, pygame.QUIT)))
        if self.closed:
            return
        pygame.surfarray.blit_array(self.window.get_surface(), picture.swapaxes(0, 1))
        self.window.flip()
        self._clock.tick(self.fps)

    def _close_as_asked(self, events: list[Any]) -> None:
        """Somebody closed a window, perhaps another viewer's, or all of them."""
        import pygame

        for event in events:
            asked = list(self._of_window.values())
            if event.type == pygame.WINDOWCLOSE:
                asked = [viewer for viewer in asked if viewer.window is event.window]
            for viewer in asked:
                viewer.close()

    def close(self) -> None:
        """Close the window; may be called twice."""
        self.closed = True
        if self.window is None:
            return
        import pygame

        del self._of_window[self.window]
        self.window.destroy()
        self.window = None
        if not self._of_window and pygame.display.get_init() and pygame.display.get_surface() is None:
            pygame.display.quit()  # nobody has a window any more

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "window": None, "_clock": None}
