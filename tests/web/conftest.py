"""What the tests of web pages share."""

import pytest

from .pages import BROWSER, DRIVER, MISSING, Page, start_browser


@pytest.fixture(scope="session")
def driver():
    if BROWSER is None or DRIVER is None:
        pytest.skip(MISSING)
    driver = start_browser()
    yield driver
    driver.quit()


@pytest.fixture
def page(driver):
    """A browser; whatever it shows, its console stays empty."""
    page = Page(driver)
    page.open("about:blank")
    yield page
    assert page.complaints() == []
