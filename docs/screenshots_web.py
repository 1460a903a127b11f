"""Pictures of the arcade in a browser: `docs/arcade.png` or, into a folder, its pages at several sizes, light and dark.

    python docs/screenshots_web.py [--site FOLDER] [--folder FOLDER]

`--site` is what `ludus export all --format web` wrote; without it, all games are exported first, which takes minutes where
they were never compiled. It needs chromium and its driver, as the tests of web pages do.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1]))  # the browser lies with the tests

from ludus.__main__ import main as ludus
from tests.web.pages import Page, Server, start_browser

PICTURE = Path(__file__).parent / "arcade.png"
SIZE, BITS = (1280, 1350), 6  # a channel, of that picture: the game at the top, and two rows of cards
WIDTHS, HEIGHT = (1280, 768, 390), 1000
SECONDS = 4  # that games are played before they are shown
PAGES = {  # what is opened, and what is done there
    "arcade": ("", ""),
    "arcade-step-by-step": ("", "document.querySelector('[value=\"step by step\"]').click()"),
    "arcade-taken": ("", "hero.take(); hero.session.speed = 1 / 8"),
    "asterix-watched": ("Asterix.html#players=agent", ""),
    "othello": ("Othello.html", "player.session.resume()"),
    "tron": ("Tron.html", ""),
}


def shoot(page: Page, address: str, script: str, size: tuple[int, int], dark: bool) -> Image.Image:
    """A page after some seconds."""
    command = page.driver.execute_cdp_cmd
    command("Emulation.setScrollbarsHidden", {"hidden": True})
    page.prefers(color_scheme="dark" if dark else "light")
    page.size(*size, touch=size[0] < 1000)
    page.play(address)
    page.run(script)
    page.until("return typeof cards === 'undefined' || cards.every((card) => !card.seen || card.session)")
    time.sleep(SECONDS)
    found = command("Page.captureScreenshot", {"format": "png"})["data"]
    return Image.open(io.BytesIO(base64.b64decode(found)))


def write(page: Page, address: str, folder: Path | None) -> None:
    """`PICTURE` or, into a folder, all pages."""
    if folder is None:
        picture = shoot(page, f"{address}/", "", SIZE, dark=True).convert("RGB")
        ImageOps.posterize(picture, BITS).save(PICTURE, optimize=True)  # half as large, and none sees it
        print(f"{PICTURE}: {PICTURE.stat().st_size / 1e3:.0f} kB")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, (path, script) in PAGES.items():
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                out = folder / f"{name}-{width}-{scheme}.png"
                shoot(page, f"{address}/{path}", script, (width, HEIGHT), scheme == "dark").save(out)
                print(out, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Take pictures of the arcade.")
    parser.add_argument("--site", type=Path, help="the exported arcade")
    parser.add_argument("--folder", type=Path, help="where all pages go, at several sizes, in place of docs/arcade.png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        site = arguments.site or Path(temporary) / "arcade"
        if arguments.site is None and ludus(["export", "all", "--format", "web", "--out", str(site)]):
            return 1
        driver = start_browser()
        try:
            with Server(site) as address:
                write(Page(driver), address, arguments.folder)
                driver.get("about:blank")
        finally:
            driver.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
