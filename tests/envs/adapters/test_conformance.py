"""Gymnasium's vector of single games and ours, side by side in all autoreset modes: results, infos, masks, wrappers.

Whatever follows for users of Gymnasium's vectors follows from these two being equal. Two differences are on purpose: our
rewards are float32, and an episode that its rules end at the very limit of steps is not truncated, too.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics as RecordOne
from gymnasium.wrappers import vector as wrappers

import ludus
from ludus.envs import Game, GameVectorEnv, Options, all_games

GAMES = [game for game in all_games().values() if game.players == 1]
every_game = pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])
every_mode = pytest.mark.parametrize("mode", list(AutoresetMode), ids=[mode.value for mode in AutoresetMode])
OPTIONS = {"max_episode_steps": 25, "repeat_action_probability": 0.1}


def both(name: str, mode: AutoresetMode, count: int = 5, **options: Any) -> tuple[GameVectorEnv, SyncVectorEnv]:
    """Our vector of a game, and Gymnasium's around `gymnasium.make` of the same id."""
    options = {**OPTIONS, **options}
    ours = gymnasium.make_vec(name, num_envs=count, autoreset_mode=mode, **options)
    kwargs = {"autoreset_mode": mode}
    theirs = gymnasium.make_vec(name, num_envs=count, vectorization_mode="sync", vector_kwargs=kwargs, **options)
    return ours, theirs  # type: ignore[return-value]


def results(envs: VectorEnv, mode: AutoresetMode, steps: int, seed: int = 11) -> Iterator[tuple[Any, ...]]:
    """What a vector returns under random actions; where it leaves resets to its user, games that ended are reset."""
    random = np.random.default_rng(seed)
    yield envs.reset(seed=seed)
    for _ in range(steps):
        actions = random.integers(0, envs.single_action_space.n, envs.num_envs)  # type: ignore[attr-defined]
        obs, reward, terminated, truncated, infos = envs.step(actions)
        yield obs, reward, terminated, truncated & ~terminated, infos
        ended = terminated | truncated
        if mode is AutoresetMode.DISABLED and ended.any():
            yield envs.reset(seed=random.choice([None, 4]), options={"reset_mask": ended})


def same(ours: Any, theirs: Any) -> bool:
    """Equal values of equal kinds, but for the precision of numbers that follow from rewards, and seconds."""
    if isinstance(theirs, dict):
        both = [{key: value for key, value in one.items() if key != "t"} for one in (ours, theirs)]
        return both[0].keys() == both[1].keys() and all(same(both[0][key], both[1][key]) for key in both[1])
    if isinstance(theirs, (tuple, list)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, (float, np.floating)) or getattr(theirs, "dtype", None) == np.float64:
        return np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    return data_equivalence(ours, theirs, exact=True)


@every_game
@every_mode
def test_results_and_infos_are_those_of_single_games(game: Game, mode: AutoresetMode) -> None:
    ours, theirs = both(game.id, mode)
    assert isinstance(ours, GameVectorEnv)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is mode
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    assert ours.single_observation_space == theirs.single_observation_space
    ended = 0
    for mine, other in zip(results(ours, mode, 80), results(theirs, mode, 80), strict=True):
        assert same(mine, other), (mine, other)
        ended += len(mine) == 5 and (mine[2] | mine[3]).sum()
    assert ended >= ours.num_envs


def flat(envs: VectorEnv) -> VectorEnv:
    return wrappers.FlattenObservation(wrappers.DtypeObservation(envs, np.float32))


WRAPPERS: dict[str, Callable[[VectorEnv], Any]] = {
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "DictInfoToList": lambda envs: wrappers.DictInfoToList(wrappers.RecordEpisodeStatistics(envs)),
    "NormalizeObservation": lambda envs: wrappers.NormalizeObservation(flat(envs)),
    "NormalizeReward": wrappers.NormalizeReward,
    "ClipReward": lambda envs: wrappers.ClipReward(envs, -0.5, 0.5),
    "TransformReward": lambda envs: wrappers.TransformReward(envs, lambda reward: reward * 2),
    "TransformObservation": lambda envs: wrappers.TransformObservation(envs, lambda obs: obs * 2),
    "TransformAction": lambda envs: wrappers.TransformAction(envs, lambda action: 1 - action % 2),
    "VectorizeTransformReward": lambda envs: wrappers.VectorizeTransformReward(
        envs, gymnasium.wrappers.TransformReward, func=lambda reward: reward + 1
    ),
    "Flatten, Dtype": flat,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("game", ["ludus/Game2048-v1", "ludus/CartPole-v1"])
@every_mode
def test_wrappers_for_vectors_fit(wrap: Callable[[VectorEnv], Any], game: str, mode: AutoresetMode) -> None:
    ours, theirs = (wrapped(envs, wrap) for envs in both(game, mode, count=3, max_episode_steps=6))
    if isinstance(theirs, str):
        assert ours == theirs and "autoreset_mode" in theirs
        return
    assert repr(ours).count("<") == repr(theirs).count("<") > 0
    for envs in (ours, theirs):
        envs.reset(seed=5)
    for k in range(15):
        actions = np.arange(3) * k % 2
        mine, other = ours.step(actions), theirs.step(actions)
        assert same(mine, other), (mine, other)
        if mode is AutoresetMode.DISABLED and (np.asarray(mine[2]) | np.asarray(mine[3])).any():
            assert same(ours.reset(), theirs.reset())
    if isinstance(theirs, wrappers.RecordEpisodeStatistics):
        assert same(list(ours.return_queue), list(theirs.return_queue)) and len(theirs.return_queue) >= 3
        assert same(list(ours.length_queue), list(theirs.length_queue))


def wrapped(envs: VectorEnv, wrap: Callable[[VectorEnv], Any]) -> Any:
    """The wrapped vector, or why the wrapper does not take it."""
    try:
        return wrap(envs)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("game", ["ludus/Game2048-v1", "ludus/Catch-v1"])
@every_mode
def test_our_own_statistics_are_those_of_gymnasiums_wrappers(game: str, mode: AutoresetMode) -> None:
    """Ours stand where the wrapper for vectors puts them and, in SameStep, where the one for single games does, too."""
    ours = gymnasium.make_vec(game, num_envs=3, autoreset_mode=mode, episode_info=True, max_episode_steps=6)
    options = {"max_episode_steps": 6}
    singles = SyncVectorEnv([lambda: RecordOne(gymnasium.make(game, **options))] * 3, autoreset_mode=mode)
    outer = wrappers.RecordEpisodeStatistics(both(game, mode, count=3, repeat_action_probability=0.0, **options)[1])
    told = 0
    for mine, single, other in zip(*(results(envs, mode, 30) for envs in (ours, singles, outer)), strict=True):
        infos, ones, many = (result[-1] for result in (mine, single, other))
        ones = ones.get("final_info", ones)
        assert ("episode" in infos) == ("episode" in ones) == ("episode" in many)
        if "episode" in infos:
            told += 1
            assert np.array_equal(infos["_episode"], ones["_episode"]) and infos["_episode"].any()
            assert np.array_equal(infos["episode"]["l"], ones["episode"]["l"])
            assert np.allclose(infos["episode"]["r"], ones["episode"]["r"])
            if mode is not AutoresetMode.DISABLED:  # with masks, Gymnasium's wrapper for vectors loses count
                assert np.array_equal(infos["_episode"], many["_episode"])
                assert np.allclose(infos["episode"]["r"], many["episode"]["r"])
        if mode is AutoresetMode.SAME_STEP and "episode" in infos:
            assert np.array_equal(infos["final_info"]["episode"]["r"], infos["episode"]["r"])
    assert told >= 3


@every_mode
def test_gymnasiums_statistics_count_right_around_masked_resets(mode: AutoresetMode) -> None:
    envs = wrappers.RecordEpisodeStatistics(ludus.make_vec("CartPole", 4, autoreset_mode=mode))
    own = ludus.make_vec("CartPole", 4, autoreset_mode=mode, episode_info=True)
    for mine, other in zip(results(envs, mode, 60), results(own, mode, 60), strict=True):
        assert same(mine[-1].get("_episode"), other[-1].get("_episode"))
        if "episode" in mine[-1]:
            assert same({**mine[-1]["episode"], "t": 0}["r"], other[-1]["episode"]["r"].astype(np.float64))
            assert np.array_equal(mine[-1]["episode"]["l"], other[-1]["episode"]["l"])
    assert len(envs.length_queue) > 4


def test_what_infos_hold_may_be_kept_and_written_to() -> None:
    envs = ludus.make_vec("Game2048", 2, autoreset_mode="SameStep", max_episode_steps=1, episode_info=True)
    _, first = envs.reset(seed=1)
    kept = {key: value.copy() for key, value in first.items()}
    *_, infos = envs.step(np.zeros(2, np.int64))
    *_, later = envs.step(np.zeros(2, np.int64))
    assert same(first, kept)
    for info in (first, infos):
        info["action_mask"][:], info["_action_mask"][:] = 7, False
    infos["_final_obs"][:], infos["final_info"]["action_mask"][:] = False, 7
    *_, after = envs.step(np.zeros(2, np.int64))
    for info in (later, after):
        assert info["_action_mask"].all() and info["_final_obs"].all() and info["_episode"].all()
        assert info["action_mask"].max() == info["final_info"]["action_mask"].max() == 1


@every_mode
def test_a_step_after_close_is_what_it_is_in_gymnasiums(mode: AutoresetMode) -> None:
    ours, theirs = both("ludus/Breakout-v1", mode, count=3)
    for envs in (ours, theirs):
        envs.reset(seed=2)
        envs.close()
    assert ours.closed and theirs.closed
    for _ in range(2):
        assert same(ours.step(np.zeros(3, np.int64)), theirs.step(np.zeros(3, np.int64)))
    assert same(ours.reset(seed=3), theirs.reset(seed=3))


@pytest.mark.parametrize("name", ["make", "make_vec", "make_sb3", "threads"])
def test_closed_environments_of_all_faces_can_be_stepped_reset_and_closed(name: str) -> None:
    makers: dict[str, Callable[[], Any]] = {
        "make": lambda: ludus.make("Breakout", render_mode="human"),
        "make_vec": lambda: ludus.make_vec("Breakout", 3),
        "make_sb3": lambda: ludus.make_sb3("Breakout", 3),
        "threads": lambda: ludus.make_vec("Breakout", 64, num_threads=2),
    }
    env, open_one = makers[name](), makers[name]()
    for one in (env, open_one):
        one.seed(1) if name == "make_sb3" else one.reset(seed=1)
        one.reset() if name == "make_sb3" else None
    env.close(), env.close()
    actions = 0 if name == "make" else np.zeros(env.num_envs, np.int64)
    assert same(list(env.step(actions)), list(open_one.step(actions)))
    open_one.close()
    env.reset()


SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "range": {"levels": range(2, 9)},
    "list": {"levels": [1, 2]},
    "array": {"levels": np.arange(3)},
    "numpy": {"size": np.int64(16), "obs_type": "rgb", "repeat_action_probability": np.float32(0.5)},
}


@pytest.mark.parametrize("options", SPECS.values(), ids=SPECS)
def test_specs_survive_json(options: dict[str, Any]) -> None:
    game = all_games()["Breakout"]
    for env in (gymnasium.make(game.id, **options), ludus.make(game, **options), ludus.make("breakout", **options)):
        assert env.spec is not None
        spec = EnvSpec.from_json(env.spec.to_json())
        assert spec == env.spec
        again = gymnasium.make(spec).unwrapped
        assert plain(again.simulator.options) == plain(env.unwrapped.simulator.options)  # type: ignore[attr-defined]
    for mode in AutoresetMode:
        envs = gymnasium.make_vec(game.id, num_envs=3, autoreset_mode=mode, **options)
        assert envs.spec is not None
        again = gymnasium.make_vec(EnvSpec.from_json(envs.spec.to_json()))
        assert isinstance(again, GameVectorEnv) and again.num_envs == 3 and again.autoreset_mode is mode
        assert plain(again.simulator.options) == plain(envs.simulator.options)  # type: ignore[attr-defined]
        assert json.loads(envs.spec.to_json())["kwargs"]["autoreset_mode"] == mode.value


def plain(options: Options) -> dict[str, Any]:
    return {**vars(options), "levels": options.levels and tuple(options.levels)}
