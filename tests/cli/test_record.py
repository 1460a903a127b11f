"""`ludus record`: what is in the files, and what is refused.

What is expected follows from the rules of Catch: an episode is nine steps, catching the ball pays +1, missing it -1.
"""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ludus.__main__ import main as ludus
from ludus.cli import record
from ludus.cli.out_file import NotWritten
from ludus.cli.players import seats
from ludus.envs import LudusError, OptionError, Simulator
from ludus.film import Episode, palette_of

from .catcher import Catcher

STEPS = 9  # of an episode


def recorded(tmp_path, *arguments, name="out.gif"):
    out = tmp_path / name
    assert record.main(["runs/catcher", "--out", str(out), "--size", "64", *arguments]) == 0
    return out


def frames_of(path):
    """The pictures of a GIF, and for how many milliseconds each stays."""
    pictures, durations = [], []
    with Image.open(path) as image:
        for k in range(image.n_frames):
            image.seek(k)
            pictures.append(np.array(image.convert("RGB")))
            durations.append(image.info["duration"])
        assert image.info["loop"] == 0
    return pictures, durations


def test_a_gif_shows_every_step_for_its_time(agent, tmp_path, capsys):
    out = recorded(tmp_path)
    pictures, durations = frames_of(out)
    assert len(pictures) == STEPS + 1  # the start, and after each step
    assert pictures[0].shape == (64, 64, 3)
    assert durations == [100] * STEPS + [1100]  # ten steps a second, and the end stays for another second
    assert "score 1" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["out.gif"]


def test_a_gif_has_the_games_own_colours(agent, tmp_path):
    pictures, _ = frames_of(recorded(tmp_path, "--seed", "5"))
    sim = Simulator("Catch", seed=5, autoreset="disabled")
    sim.reset()
    for picture in pictures[:4]:
        exact = sim.frame(0, 128).reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(picture - exact).max() <= 0.5  # the mean of four pixels, rounded
        sim.step(agent.predict(sim.obs, deterministic=True)[0])


@pytest.mark.parametrize("fps", [7, 30, 50])
def test_a_gif_keeps_time_although_it_counts_in_hundredths(agent, tmp_path, fps):
    _, durations = frames_of(recorded(tmp_path, "--fps", str(fps), "--max-steps", "6"))
    assert sum(durations) == pytest.approx(1000 * (7 + fps) / fps, abs=10)
    assert all(duration % 10 == 0 and duration >= 20 for duration in durations)


def test_episodes_follow_each_other_and_can_be_cut(agent, tmp_path):
    pictures, durations = frames_of(recorded(tmp_path, "--episodes", "3", "--max-steps", "4"))
    assert len(pictures) == 3 * 5
    assert durations == ([100] * 4 + [1100]) * 3


def film_of(path):
    """The pictures of an MP4, (frames, rows, columns, 3), and its frames a second."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    decode = [ffmpeg, "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    result = subprocess.run(decode, capture_output=True, check=True)
    width, height = map(int, re.search(r"Video: h264.*?, (\d+)x(\d+)", result.stderr.decode()).groups())
    fps = float(re.search(r"([\d.]+) fps", result.stderr.decode()).group(1))
    return np.frombuffer(result.stdout, np.uint8).reshape(-1, height, width, 3), fps


def test_an_mp4_has_every_frame(agent, tmp_path):
    pictures, fps = film_of(recorded(tmp_path, "--fps", "20", name="out.mp4"))
    assert pictures.shape == (STEPS + 1 + 20, 64, 64, 3)  # the start, each step, and the end for a second
    assert fps == 20
    sim = Simulator("Catch", seed=0, autoreset="disabled")
    sim.reset()
    assert np.abs(pictures[0].astype(int) - sim.frame(0, 128)[::2, ::2]).mean() < 10


def test_an_mp4_of_odd_size_gets_one_more_row_and_column(tmp_path):
    record.write_mp4(tmp_path / "odd.mp4", [np.full((33, 47, 3), 90, np.uint8)] * 4, 10)
    pictures, _ = film_of(tmp_path / "odd.mp4")
    assert pictures.shape == (4, 34, 48, 3)
    assert np.abs(pictures.astype(int) - 90).max() < 8


@pytest.mark.parametrize("name", ["Catch", "Tetris", "Wilds"])
def test_every_pixel_of_a_gif_is_the_pictures(tmp_path, name):
    """Catch has 14 colours, Tetris 191, and Wilds more than 256, of which no picture has so many."""
    player, sim = seats(f"{name}:random", None, 3)
    film = record.Film(sim, [record.play(player, sim, 30, sampled=False)], 200, 10)
    assert (palette_of(film) is None) == (name == "Wilds")
    record.write_gif(tmp_path / "exact.gif", film, 10)
    pictures, durations = frames_of(tmp_path / "exact.gif")
    shown = [picture for picture, stay in zip(pictures, durations, strict=True) for _ in range(stay // 100)]
    assert len(shown) == len(film)
    for picture, expected in zip(shown, film, strict=True):
        assert np.array_equal(picture, expected)


@pytest.mark.parametrize("count", [2, 24, 255, 256])
def test_up_to_256_colours_are_exact(tmp_path, count):
    colors = np.random.default_rng(count).integers(0, 256, (count, 3), np.uint8)
    pictures = np.random.default_rng(0).choice(colors, (3, 40, 30))
    record.write_gif(tmp_path / "exact.gif", pictures, 10)
    assert np.array_equal(frames_of(tmp_path / "exact.gif")[0], pictures)


def test_a_gif_of_thousands_of_colours_comes_close(tmp_path):
    ramp = np.stack(np.meshgrid(np.arange(128), np.arange(128)), -1).astype(np.uint8)
    picture = np.concatenate([ramp, np.full((128, 128, 1), 60, np.uint8)], -1)
    record.write_gif(tmp_path / "many.gif", [picture, picture[::-1]], 10)
    pictures, _ = frames_of(tmp_path / "many.gif")
    assert len(pictures) == 2
    assert np.abs(pictures[1].astype(int) - picture[::-1]).mean() < 6


def test_the_same_seed_gives_the_same_file(agent, tmp_path):
    first, second = recorded(tmp_path, "--seed", "7"), recorded(tmp_path, "--seed", "7", name="again.gif")
    assert first.read_bytes() == second.read_bytes()
    assert agent.seeds == [7, 7]


def test_the_best_episodes_are_kept_in_the_order_they_were_played():
    played = [Episode([], score) for score in (3.0, 9.0, 1.0, 5.0)]
    assert [episode.score for episode in record.best(played, 2)] == [9.0, 5.0]
    assert [episode.score for episode in record.best(played, 4)] == [3.0, 9.0, 1.0, 5.0]


def test_best_of_plays_more_than_it_records(agent, tmp_path, capsys):
    out = recorded(tmp_path, "--sampled", "--best-of", "60", "--seed", "0")
    pictures, _ = frames_of(out)
    assert len(pictures) == STEPS + 1
    assert capsys.readouterr().out.endswith("score 1\n")  # a ball in the left column is caught by chance


def test_a_file_that_exists_is_replaced_only_by_force(agent, tmp_path):
    out = tmp_path / "out.gif"
    out.write_text("precious")
    with pytest.raises(OptionError, match="--force"):
        recorded(tmp_path)
    assert out.read_text() == "precious"
    recorded(tmp_path, "--force")
    assert out.read_bytes()[:6] == b"GIF89a"


def test_a_failure_leaves_the_old_file_and_nothing_else(agent, tmp_path, monkeypatch):
    def fail(path, film, fps):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "write_gif", fail)
    (tmp_path / "out.gif").write_text("precious")
    with pytest.raises(NotWritten, match="No space left on device"):
        recorded(tmp_path, "--force")
    assert (tmp_path / "out.gif").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "play.webm"], r"must end in \.gif or \.mp4"),
        (["--out", "play"], r"must end in \.gif or \.mp4"),
        (["--out", "nowhere/play.gif"], "folder nowhere cannot be written"),
        (["--out", "play.gif", "--episodes", "0"], "episodes"),
        (["--out", "play.gif", "--max-steps", "0"], "max-steps"),
        (["--out", "play.gif", "--size", "2"], "size"),
        (["--out", "play.gif", "--fps", "0"], "fps"),
        (["--out", "play.gif", "--fps", "60"], "at most 50"),
        (["--out", "play.gif", "--episodes", "3", "--best-of", "2"], "best_of"),
    ],
)
def test_record_refuses_in_one_line_before_it_plays(agent, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "play", lambda *_: pytest.fail("played"))
    with pytest.raises(OptionError, match=message) as caught:
        record.main(["runs/catcher", *arguments])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(agent, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(LudusError, match="pip install 'imageio") as caught:
        recorded(tmp_path, name="out.mp4")
    assert "\n" not in str(caught.value)


def test_an_agent_of_another_world_is_refused(monkeypatch, tmp_path):
    other = Catcher(gymnasium="CartPole-v1")
    monkeypatch.setattr("ludus.agents.load_agent", lambda folder, device: other)
    with pytest.raises(OptionError, match="plays CartPole-v1"):
        recorded(tmp_path)


def test_from_the_command_line_an_error_is_one_line_and_status_2(agent, capsys):
    assert ludus(["record", "runs/catcher", "--out", "x.txt"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ludus: --out must end in .gif or .mp4")
    assert error.count("\n") == 1
