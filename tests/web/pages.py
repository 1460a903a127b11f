"""A browser and a server for tests of web pages."""

import functools
import http.server
import json
import shutil
import threading
import time

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
MISSING = "there is no chromium with its driver here: apt-get install chromium chromium-driver"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
)
PATIENCE = 30  # seconds


def start_browser():
    """Chromium without a window, which keeps its console and its requests."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


class Server:
    """Serves a folder to this machine."""

    def __init__(self, folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                """Be quiet."""

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self.thread.start()
        return self.address

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Page:
    """What a browser shows."""

    def __init__(self, driver):
        self.driver = driver
        self.size(1280, 800)
        self.prefers()

    def size(self, width, height, touch=False):
        command = self.driver.execute_cdp_cmd
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        command("Emulation.setDeviceMetricsOverride", screen)
        command("Emulation.setTouchEmulationEnabled", {"enabled": touch})

    def prefers(self, **wishes):
        """What people asked their system for, as in `color_scheme="dark"`; none: nothing."""
        features = [{"name": f"prefers-{name.replace('_', '-')}", "value": wish} for name, wish in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, address):
        """Go to an address; to one that differs in its end behind #, too."""
        self.driver.get("about:blank")
        self.complaints(), self.requests()
        self.driver.get(address)

    def play(self, address):
        """Open a game's page, and wait until it can be played."""
        self.open(address)
        self.until("return document.documentElement.dataset.ready")

    def run(self, script, *values):
        return self.driver.execute_script(script, *values)

    def until(self, script, *values):
        """What a script returns as soon as that is not false."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.run(script, *values)):
            assert time.monotonic() < deadline, f"{script}: never\n{self.text('body')}\n{self.complaints()}"
            time.sleep(0.02)
        return found

    def text(self, selector):
        """As it is seen."""
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def tells(self, selector, text):
        """Wait until an element shows this text, but for capitals, which styles change."""
        script = "return document.querySelector(arguments[0]).innerText.toLowerCase() === arguments[1].toLowerCase()"
        self.until(script, selector, text)

    def shows(self, selector):
        return self.run("return document.querySelector(arguments[0]).checkVisibility()", selector)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector, x=0.5, y=0.5, button="left"):
        """Click into an element, at shares of its width and height."""
        at = self.at(selector, x, y)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            event = {"type": kind, "button": button, "clickCount": 1, **at}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    def touch(self, selector):
        """Put a finger onto an element."""
        points = [self.at(selector, 0.5, 0.5)]
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})

    def lift(self):
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def at(self, selector, x, y):
        script = """
            const node = document.querySelector(arguments[0]);
            node.scrollIntoView({block: "nearest"});
            const box = node.getBoundingClientRect();
            return {x: box.left + arguments[1] * box.width, y: box.top + arguments[2] * box.height}"""
        return self.run(script, selector, x, y)

    def complaints(self):
        """What the console has got since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses asked for since this was called last."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            found["params"]["request"]["url"] for found in messages if found["method"] == "Network.requestWillBeSent"
        ]
