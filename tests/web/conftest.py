"""What the tests of web pages share."""

import pytest

from ludus.__main__ import main

from .pages import BROWSER, DRIVER, MISSING, Page, Server, start_browser


@pytest.fixture(scope="session")
def driver():
    if BROWSER is None or DRIVER is None:
        pytest.skip(MISSING)
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of a site of two games with their agents."""
    folder = tmp_path_factory.mktemp("site") / "site"
    assert main(["export", "Breakout", "ConnectFour", "--format", "web", "--out", str(folder)]) == 0
    with Server(folder) as address:
        yield address


@pytest.fixture
def page(driver):
    """A browser; whatever it shows, its console stays empty."""
    page = Page(driver)
    page.open("about:blank")
    yield page
    assert page.complaints() == []
