"""Frames as Minari's data sets, and back."""

import numpy as np
import pytest

from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.pretraining.minari import frames_from_minari, write_minari
from ludus.envs import OptionError

from .small import collected

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where Minari keeps data sets."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def steps_of(frames):
    """What each step of each game saw and did, game after game."""
    rows = frames.index.T.ravel()
    columns = ("action", "advice", "reward", "level")
    return [frames.pictures[rows], frames.planes[rows], *(getattr(frames, name).T.ravel() for name in columns)]


@pytest.mark.parametrize(
    ("game", "options"),
    [("Breakout", {}), ("LeducPoker", {}), ("Muncher", {"levels": range(20), "max_episode_steps": 7})],
)
def test_there_and_back(game, options):
    frames = collected(game, steps=40, **options)
    write_minari(frames, "test/there-v0", author="A. Person")
    back = frames_from_minari("test/there-v0")
    for one, other in zip(steps_of(frames), steps_of(back), strict=True):
        assert np.array_equal(one, other) and one.dtype == other.dtype
    for name in ("game", "plane_names", "action_names", "options"):
        assert getattr(back, name) == getattr(frames, name)
    cut = frames.done.copy()
    cut[-1] = True  # what collecting cut off ends there
    assert np.array_equal(cut.T.ravel(), back.done[:, 0])
    assert np.array_equal((frames.truncated | (cut & ~frames.done)).T.ravel(), back.truncated[:, 0])
    assert sorted(back.digests.tolist()) == sorted(frames.digests.tolist())


def test_minari_reads_what_is_written():
    frames = collected(steps=40)
    write_minari(frames, "test/read-v0", description="for a test")
    dataset = minari.load_dataset("test/read-v0")
    assert dataset.total_steps == 160
    assert dataset.observation_space.shape == frames.pictures.shape[1:] and dataset.action_space.n == 3
    first = dataset[0]
    assert first.observations.shape == (len(first) + 1, 16, 16, 3) and first.infos["planes"].shape[0] == len(first) + 1
    assert np.array_equal(first.observations[:-1], frames.pictures[frames.index[: len(first), 0]])
    assert first.terminations.tolist() == [False] * (len(first) - 1) + [True]
    assert dataset.storage.metadata["description"] == "for a test"


def test_other_peoples_pictures_become_frames():
    import gymnasium

    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (5, 8, 8, 3), np.uint8)
    buffer = minari.data_collector.EpisodeBuffer(
        observations=pictures, actions=np.array([1, 0, 1, 1]), rewards=[0.0, 1.0, 0.0, 0.5],
        terminations=[False] * 3 + [True], truncations=[False] * 4,
    )  # fmt: skip
    spaces = {
        "observation_space": gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8),
        "action_space": gymnasium.spaces.Discrete(2),
    }
    with pytest.warns(UserWarning, match="None"):
        minari.create_dataset_from_buffers("other-v0", [buffer], jpeg_encoding=False, **spaces)
    frames = frames_from_minari("other-v0")
    assert np.array_equal(frames.pictures, pictures[:4]) and frames.action[:, 0].tolist() == [1, 0, 1, 1]
    assert frames.plane_names == () and frames.action_names == ("0", "1") and frames.game == "other-v0"
    assert frames.done[:, 0].tolist() == [False] * 3 + [True]


def test_what_is_wrong_is_told(place):
    frames = collected(steps=5)
    with pytest.raises(OptionError, match="there is no Minari data set none-v0 here"):
        frames_from_minari("none-v0")
    with pytest.raises(OptionError, match="is named NAMESPACE/NAME-vVERSION"):
        write_minari(frames, "../none")
    write_minari(frames, "twice-v0")
    with pytest.raises(OptionError, match="there is a Minari data set twice-v0"):
        write_minari(frames, "twice-v0")
    (file,) = place.rglob("*.hdf5")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="twice-v0 is damaged"):
        frames_from_minari("twice-v0")


def test_half_a_data_set_is_not_left(place):
    frames = collected(steps=5)
    with pytest.raises(TypeError, match="colour"):
        write_minari(frames, "half-v0", colour="red")
    frames.index[3, 1] = len(frames)  # no picture
    with pytest.raises(IndexError):
        write_minari(frames, "half-v0")
    assert not (place / "half-v0").exists()


def test_observations_that_are_no_pictures_are_refused():
    import gymnasium

    buffer = minari.data_collector.EpisodeBuffer(
        observations=np.zeros((3, 2)), actions=np.zeros(2, np.int64), rewards=[0.0, 0.0],
        terminations=[False, True], truncations=[False, False],
    )  # fmt: skip
    spaces = {"observation_space": gymnasium.spaces.Box(0, 1, (2,)), "action_space": gymnasium.spaces.Discrete(2)}
    with pytest.warns(UserWarning, match="None"):
        minari.create_dataset_from_buffers("numbers-v0", [buffer], **spaces)
    with pytest.raises(OptionError, match=r"numbers-v0 has observations Box.*: pictures"):
        frames_from_minari("numbers-v0")
