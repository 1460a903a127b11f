"""How things show themselves in notebooks: HTML, a small picture beside a few rows of text.

It has neither style sheet nor script, and takes colours and letters from the page that it is on, light or dark.
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np

from .errors import printable

PIXELS = 320  # of a picture's longer side, twice what is shown, for fine screens
LONGEST = 160  # characters of a row
FAINT = "opacity:.6"


def facts_html(
    title: str,
    subtitle: str,
    about: str,
    rows: Mapping[str, str],
    picture: np.ndarray | None = None,
    note: str = "",
) -> str:
    """What there is to say of a thing, as HTML; whatever comes from games, agents or their authors is escaped here.

    Args:
        about: a sentence; "": none.
        rows: text by its heading; a row without text is left out.
        picture: (rows, columns, 3) uint8, shown at half its size.
        note: what there is to say of the picture.
    """
    told = "".join(
        div(FAINT, escaped(heading)) + div("overflow-wrap:anywhere", escaped(text))
        for heading, text in rows.items()
        if text
    )
    head = f'<b style="font-size:16px">{escaped(title)}</b> <span style="{FAINT}">{escaped(subtitle)}</span>'
    sentence = div("", escaped(about)) if about else ""
    table = div("display:grid;grid-template-columns:auto 1fr;gap:1px 14px;margin-top:6px", told)
    words = div("flex:1;min-width:240px;max-width:640px", div("", head) + sentence + table)
    shown = "" if picture is None else figure(picture, title, note)
    style = (
        "display:flex;flex-wrap:wrap;gap:12px 20px;align-items:flex-start;font-size:13px;line-height:1.5;padding:4px 0"
    )
    return div(style, shown + words)


def figure(picture: np.ndarray, title: str, note: str) -> str:
    """A picture with a note below it."""
    rows, columns, _ = picture.shape
    source = f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
    image = (
        f'<img alt="{escaped(title)}" width="{columns // 2}" height="{rows // 2}" src="{source}" '
        'style="display:block;margin:0;border-radius:6px;box-shadow:0 0 0 1px rgba(128,128,128,.3)">'
    )
    return div("flex:none;text-align:center", image + (div(f"{FAINT};font-size:11px", escaped(note)) if note else ""))


def div(style: str, content: str) -> str:
    return f'<div style="{style}">{content}</div>'


def escaped(text: str) -> str:
    """Text as it is, whatever it is, in HTML; what is too long for a row is cut."""
    text = " ".join(printable(str(text)).split())
    return html.escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ...")


def png(picture: np.ndarray) -> bytes:
    """A picture, (rows, columns, 3) uint8, as a PNG file."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    rows, columns, _ = picture.shape
    file = io.BytesIO()
    pygame.image.save(pygame.image.frombuffer(picture.tobytes(), (columns, rows), "RGB"), file, "picture.png")
    return file.getvalue()


def or_nothing(make: Callable[..., str]) -> Callable[..., str | None]:
    """What a function makes or, if it fails, None, for which notebooks show text: nobody who looks wants an error."""

    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> str | None:
        try:
            return make(*args, **kwargs)
        except Exception:
            return None

    return made
