"""Progress bars and logs in notebooks: one place that is written anew, not hundreds of lines."""

import re
import sys

import pytest
from rich.console import Console
from stable_baselines3.common.logger import CSVOutputFormat, HumanOutputFormat, Logger

import ludus
from ludus.agents.training import live
from ludus.agents.training.progress_bar import ProgressCallback
from tests.agents.small import NAMES, small

pytestmark = pytest.mark.usefixtures("one_thread")


class Handle:
    """What IPython's `display` returns: a place that can be written again."""

    def __init__(self, data):
        self.written = [data]

    def update(self, data, raw):
        assert raw
        self.written.append(data)


@pytest.fixture
def places(monkeypatch):
    """What a notebook would show: its places, as lists of what was written there."""
    display = pytest.importorskip("IPython.display")
    places = []

    def shown(data, raw, display_id):
        assert raw and display_id
        places.append(Handle(data))
        return places[-1]

    monkeypatch.setattr(display, "display", shown)
    monkeypatch.setattr(live, "in_notebook", lambda: True)
    return places


def test_the_latest_is_shown_now_and_then_and_the_last_always(places, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    place = live.Live(interval=1.0)
    for k in range(10):
        now[0] = k / 4
        place.show(str(k), f"<b>{k}</b>")
    place.close(), place.close()
    ((written),) = [one.written for one in places]
    assert [data["text/plain"] for data in written] == ["0", "4", "8", "9"]
    assert written[-1]["text/html"] == "<b>9</b>"


@pytest.mark.parametrize("name", NAMES)
def test_a_log_is_one_table_that_ends_with_the_last(name, places, capsys):
    agent = getattr(ludus, name)("mlp", ludus.make_sb3("Catch", 4), verbose=1, num_threads=1, **small(name))
    agent.learn(512, log_interval=1)
    (place,) = places
    steps = [int(re.search(r"total_timesteps +\| (\d+)", data["text/plain"])[1]) for data in place.written]
    assert steps == sorted(steps) and 512 - steps[-1] <= 4 * 9  # DQN logs when an episode ends, which has nine steps
    out = capsys.readouterr().out
    assert "Network: " in out and "total_timesteps" not in out
    agent.learn(64)
    assert len(places) == 2  # another training, another place


def test_elsewhere_and_in_loggers_of_users_tables_are_printed(places, monkeypatch, tmp_path):
    files = [HumanOutputFormat(str(tmp_path / "log")), CSVOutputFormat(str(tmp_path / "csv"))]
    formats = [HumanOutputFormat(sys.stdout), *files]
    logger = Logger(None, list(formats))
    live.put_live_table(logger)
    assert isinstance(logger.output_formats[0], live.LiveTable) and logger.output_formats[1:] == formats[1:]
    monkeypatch.setattr(live, "in_notebook", lambda: False)
    logger = Logger(None, list(formats))
    live.put_live_table(logger)
    assert logger.output_formats == formats
    logger.close()


def test_a_progress_bar_is_one_place_without_escape_codes(places, capsys):
    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 4), n_steps=16, batch_size=64, num_threads=1)
    agent.learn(512, callback=ProgressCallback(Console(force_jupyter=True)))
    (place,) = places
    first, last = place.written[0], place.written[-1]
    assert first["text/plain"].startswith("  0 %") and "width:0%" in first["text/html"]
    assert (
        last["text/plain"].startswith("100 %")
        and "width:100%" in last["text/html"]
        and "512 steps" in last["text/html"]
    )
    assert capsys.readouterr().out == "" and "\x1b" not in str(place.written)


def test_a_training_that_fails_closes_its_place(places):
    def fail(*_):
        raise RuntimeError("on purpose")

    agent = ludus.PPO("mlp", ludus.make_sb3("Catch", 4), n_steps=16, batch_size=64, verbose=1, num_threads=1)
    agent.learn(128)
    written = len(places[0].written)
    with pytest.raises(RuntimeError, match="on purpose"):
        agent.learn(128, callback=fail)
    assert len(places) == 1 and len(places[0].written) == written
