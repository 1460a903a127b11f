"""Frames as data sets of Minari, Farama's format of offline data, and pictures of such data sets as frames.

An observation is a picture. Planes, the heuristic's action and the level are infos, since no player sees them. Minari keeps
what follows an episode's last step, too, which frames do not have: the last picture stands there again, and reading leaves it
out.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

from ...envs import OptionError
from ...envs.extras import packages_of
from ..files.checks import full, json_object, several
from ..files.safe_io import CheckpointError, short
from .frames import Frames, Gallery
from .shards import check, word

NAME = re.compile(r"[\w-]+(/[\w-]+)*-v\d+")
FACTS = {"game": word, "options": json_object, "plane_names": several(word, 256), "action_names": several(word, 256)}


def _minari() -> Any:
    """The package; raises OptionError without it."""
    try:
        import h5py  # noqa: F401
        import minari
    except ImportError as error:
        raise OptionError(f"Minari's data sets need it: pip install {packages_of('minari')}") from error
    return minari


def write_minari(frames: Frames, dataset_id: str, **about: Any) -> None:
    """Write frames as a new data set, an episode each, the last ones of the games as they were cut off.

    Args:
        dataset_id: NAMESPACE/NAME-vVERSION, in the folder that Minari's MINARI_DATASETS_PATH names.
        **about: who made it: `author`, `author_email`, `algorithm_name`, `code_permalink`, `description`.

    Raises:
        OptionError: there is such a data set, or Minari refuses its name.
    """
    minari = _minari()
    if not NAME.fullmatch(dataset_id):
        raise OptionError(
            f"a Minari data set is named NAMESPACE/NAME-vVERSION, as in me/mine-v0; got {short(dataset_id)}"
        )
    place = minari.storage.get_dataset_path(dataset_id)
    if place.exists():
        raise OptionError(f"there is a Minari data set {dataset_id} in {place}: choose another name or version")
    facts = {name: getattr(frames, name) for name in FACTS}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".* is (set to )?None", category=UserWarning)
            dataset = minari.create_dataset_from_buffers(
                dataset_id,
                _episodes(frames, minari.data_collector.EpisodeBuffer),
                observation_space=gymnasium.spaces.Box(0, 255, frames.pictures.shape[1:], np.uint8),
                action_space=gymnasium.spaces.Discrete(len(frames.action_names)),
                jpeg_encoding=False,  # pixels stay as they are
                **about,
            )
            dataset.storage.update_metadata({"ludus": facts})
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)  # half of it
        if isinstance(error, (ValueError, OSError)):
            raise OptionError(f"Minari cannot write {dataset_id}: {short(error)}") from error
        raise


def _episodes(frames: Frames, kind: Any) -> Iterator[Any]:
    """Minari's buffers, one for each episode."""
    for game in range(frames.index.shape[1]):
        ends = np.flatnonzero(frames.done[:, game]) + 1
        bounds = np.unique(np.append(ends, (0, len(frames.index))))
        for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
            steps = np.arange(begin, end)
            again = np.append(steps, end - 1)  # there is one observation more than there are steps
            last = steps == end - 1
            over = frames.done[steps, game] & ~frames.truncated[steps, game]
            rows = frames.index[again, game]
            infos = {"advice": frames.advice[again, game], "level": frames.level[again, game]}
            if frames.planes.size:
                infos["planes"] = frames.planes[rows]
            yield kind(
                observations=frames.pictures[rows],
                actions=frames.action[steps, game],
                rewards=frames.reward[steps, game],
                terminations=over,
                truncations=last & ~over,
                infos=infos,
            )


def frames_from_minari(dataset_id: str) -> Frames:
    """A data set that is on this machine as frames of one game, an episode after the other.

    A data set that Ludus did not write has no planes, and its actions are named by their numbers. Of a game that was cut off,
    the last step counts as truncated.

    Raises:
        OptionError: there is none, or its observations are no pictures or its actions no whole numbers.
        CheckpointError: it is damaged.
    """
    minari = _minari()
    try:
        dataset = minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise OptionError(
            f"there is no Minari data set {dataset_id} here: see `minari list local`, and `minari download {dataset_id}`"
        ) from error
    except (ValueError, KeyError, AssertionError, OSError) as error:
        raise CheckpointError(f"Minari data set {dataset_id} cannot be read: {short(error)}") from error
    see, act = dataset.observation_space, dataset.action_space
    if not isinstance(see, gymnasium.spaces.Box) or see.dtype != np.uint8 or len(see.shape) != 3:
        raise OptionError(f"{dataset_id} has observations {short(see)}: pictures (H, W, C) of uint8 are needed")
    if not isinstance(act, gymnasium.spaces.Discrete) or act.start:
        raise OptionError(f"{dataset_id} has actions {short(act)}: Discrete from 0 are needed")
    usual = {"game": dataset_id, "options": {}, "plane_names": [], "action_names": [str(k) for k in range(int(act.n))]}
    try:
        facts = full(FACTS)("ludus", dataset.storage.metadata.get("ludus", usual))
        frames = _read(dataset, facts)
    except (ValueError, KeyError, IndexError, TypeError, OSError) as error:
        raise CheckpointError(f"Minari data set {dataset_id} is damaged: {short(error)}") from error
    check(f"Minari data set {dataset_id}", frames)
    return frames


def _read(dataset: Any, facts: dict[str, Any]) -> Frames:
    """All episodes."""
    gallery, columns = Gallery(), []
    for episode in dataset:
        steps = len(episode)
        infos = episode.infos or {}
        planes = infos.get("planes", np.zeros((steps, 0, 0, 0), np.uint8))[:steps]
        if len(planes) < steps or planes.ndim != 4 or planes.shape[3] != len(facts["plane_names"]):
            raise ValueError(f"episode {episode.id} has planes {planes.shape} for {steps} steps")
        unknown = np.full(steps, -1)
        columns.append(
            {
                "index": gallery.add(episode.observations[:steps], planes),
                "action": np.asarray(episode.actions, np.int64),
                "advice": np.asarray(infos.get("advice", unknown)[:steps], np.int64),
                "reward": np.asarray(episode.rewards, np.float32),
                "done": episode.terminations | episode.truncations,
                "truncated": episode.truncations,
                "level": np.asarray(infos.get("level", unknown)[:steps], np.int64),
            }
        )
    if not columns:
        raise ValueError("it has no episodes")
    steps = {name: np.concatenate([one[name] for one in columns])[:, None] for name in columns[0]}
    planes, actions = tuple(facts["plane_names"]), tuple(facts["action_names"])
    return Frames(facts["game"], facts["options"], planes, actions, **gallery.arrays(), **steps)
