"""One game as Gymnasium knows it, held against Gymnasium's own checker and tools; and what `import ludus` offers."""

import subprocess
import sys
import time
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import ludus
from ludus.envs import Game, NotReset, all_games

GAMES = [game for game in all_games().values() if game.players == 1]
every_game = pytest.mark.parametrize("game", GAMES, ids=[game.name for game in GAMES])


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@every_game
@pytest.mark.parametrize("obs_type", [None, "rgb"])
def test_gymnasium_checker_has_nothing_to_say(game: Game, obs_type: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if game.features and obs_type is None:  # features have no bounds, which the checker thinks improbable
            warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is")
        check_env(gymnasium.make(game.id, obs_type=obs_type).unwrapped)


@every_game
def test_spaces_are_the_declared_ones(game: Game) -> None:
    own = ludus.make(game).observation_space
    if game.planes:
        assert own == gymnasium.spaces.Box(0, 1, (*game.shape, len(game.planes)), np.uint8)
    else:
        assert own == gymnasium.spaces.Box(-np.inf, np.inf, (len(game.features),), np.float32)
    pixels = ludus.make(game, obs_type="rgb").observation_space
    assert pixels == gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    assert ludus.make(game).action_space.n == len(game.minimal_actions)
    assert ludus.make(game, full_action_space=True).action_space.n == len(game.actions)


def test_pixels_can_be_of_any_size_and_stacked() -> None:
    env = ludus.make("Catch", obs_type="rgb", size=32, frame_stack=2)
    assert env.observation_space == gymnasium.spaces.Box(0, 255, (32, 32, 6), np.uint8)
    first, _ = env.reset(seed=0)
    assert np.array_equal(first[..., :3], first[..., 3:])
    second = env.step(1)[0]
    assert np.array_equal(second[..., :3], first[..., 3:])
    assert not np.array_equal(second[..., 3:], first[..., 3:])


def episode(env: gymnasium.Env, seed: int | None) -> list[np.ndarray]:
    """Observations and rewards of one episode under fixed actions, 200 steps at most."""
    obs, info = env.reset(seed=seed)
    seen = [obs]
    for k in range(200):
        obs, reward, terminated, truncated, info = env.step(k * 7 % 5 % env.action_space.n)
        assert set(info) <= {"action_mask"}
        seen += [obs, np.float64(reward)]
        if terminated or truncated:
            break
    return seen


@every_game
def test_same_seed_same_episodes_and_none_goes_on(game: Game) -> None:
    one, other = gymnasium.make(game.id), gymnasium.make(game.id)
    first, second = episode(one, 7), episode(one, None)
    episode(other, 8)
    assert data_equivalence(first, episode(other, 7), exact=True)
    assert data_equivalence(second, episode(other, None), exact=True)


def test_seeds_and_episodes_differ() -> None:
    env = ludus.make("Catch")  # the ball starts in any of ten columns
    columns = {int(env.reset(seed=seed)[0][0, :, 0].argmax()) for seed in range(100)}
    assert columns == set(range(10))
    env.reset(seed=0)
    assert {int(env.reset()[0][0, :, 0].argmax()) for _ in range(100)} == set(range(10))


def test_observations_are_copies() -> None:
    env = ludus.make("Catch")
    first, _ = env.reset(seed=0)
    kept = first.copy()
    second = env.step(1)[0]
    assert np.array_equal(first, kept)
    assert not np.shares_memory(first, second)
    second[:] = 9
    assert env.step(1)[0].max() == 1


def test_a_spec_tells_the_limit_of_steps_as_gymnasiums_does() -> None:
    assert ludus.make("MountainCar").spec.max_episode_steps is None
    env = ludus.make("MountainCar", max_episode_steps=9)
    assert (
        env.spec.max_episode_steps
        == 9
        == gymnasium.make("ludus/MountainCar-v1", max_episode_steps=9).spec.max_episode_steps
    )
    assert ludus.make("MountainCar", max_episode_steps=-1).spec.max_episode_steps is None
    again = gymnasium.make(env.spec)
    assert again.spec.max_episode_steps == 9
    again.reset(seed=1)
    ends = [again.step(1)[2:4] for _ in range(9)]
    assert ends == [(False, False)] * 8 + [(False, True)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: gymnasium.make("ludus/Catch-v1", max_episode_steps=4),
        lambda: ludus.make("Catch", max_episode_steps=4),
        lambda: gymnasium.make(gymnasium.make("ludus/Catch-v1", max_episode_steps=4).spec),
    ],
    ids=["gymnasium", "ludus", "spec"],
)
def test_a_time_limit_truncates_and_does_not_terminate(make) -> None:
    env = make()
    for _ in range(3):
        env.reset()
        ends = [env.step(1)[2:4] for _ in range(4)]
        assert ends == [(False, False)] * 3 + [(False, True)]


def test_catch_terminates_after_nine_steps_and_then_wants_a_reset() -> None:
    env = ludus.make("Catch")
    env.reset(seed=0)
    assert [env.step(1)[2:4] for _ in range(9)] == [(False, False)] * 8 + [(True, False)]
    with pytest.raises(NotReset, match="is over"):
        env.step(1)
    env.reset()
    assert env.step(1)[2:4] == (False, False)


def test_levels_are_the_only_episodes() -> None:
    env = ludus.make("Catch", levels=[3])
    starts = {env.reset()[0].tobytes() for _ in range(30)}
    assert len(starts) == 1


@every_game
def test_pictures_have_the_shape_of_the_canvas(game: Game) -> None:
    env = gymnasium.make(game.id, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert max(picture.shape[:2]) == 480
    assert picture.shape[2] == 3
    assert env.metadata["render_fps"] == game.fps


def test_a_window_follows_the_game_until_it_is_closed() -> None:
    import pygame

    env = gymnasium.make("ludus/Catch-v1", render_mode="human")
    env.reset(seed=0)
    env.unwrapped._viewer.fps = 0  # as fast as it goes
    env.step(1)
    assert env.render() is None
    window = env.unwrapped._viewer.window.surface
    assert window.get_size() == (480, 480)
    shown = pygame.surfarray.array3d(window).swapaxes(0, 1)
    assert np.array_equal(shown, env.unwrapped.simulator.frame(0, 480))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.step(1)
    assert not pygame.display.get_init()
    env.step(1)  # goes on unseen
    env.close()
    env.close()


def test_video_is_recorded(tmp_path) -> None:
    pytest.importorskip("moviepy")
    env = gymnasium.make("ludus/Catch-v1", render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what moviepy says of itself
        env = gymnasium.wrappers.RecordVideo(env, str(tmp_path), episode_trigger=lambda n: n == 0)
        env.reset(seed=0)
        while not env.step(1)[2]:
            pass
        env.close()
    (video,) = tmp_path.glob("*.mp4")
    assert video.stat().st_size > 1000


def test_gymnasium_play_takes_the_keys_of_the_game() -> None:
    import pygame

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about plots
        from gymnasium.utils.play import play

    taken = []

    def press_left_then_quit(obs, next_obs, action, reward, terminated, truncated, info) -> None:
        taken.append(action)
        key = pygame.KEYDOWN if len(taken) == 1 else pygame.QUIT
        pygame.event.post(pygame.event.Event(key, key=pygame.K_LEFT))

    env = gymnasium.make("ludus/Breakout-v1", render_mode="rgb_array")
    play(env, fps=1000, seed=0, callback=press_left_then_quit)
    left = env.unwrapped.simulator.actions.index("left")
    assert taken == [0, left]


@every_game
def test_keys_stand_for_offered_actions(game: Game) -> None:
    env = ludus.make(game)
    keys = env.get_keys_to_action()
    assert len(keys) == len([name for name in game.keys.values() if name in game.minimal_actions])
    assert all(action in env.action_space for action in keys.values())


def test_one_game_is_as_fast_as_cartpole() -> None:
    def rate(env: gymnasium.Env, steps: int = 3000) -> float:
        env.reset(seed=0)
        start = time.perf_counter()
        for _ in range(steps):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()
        return steps / (time.perf_counter() - start)

    theirs, ours = gymnasium.make("CartPole-v1"), gymnasium.make("ludus/Breakout-v1")
    pairs = [(rate(ours), rate(theirs)) for _ in range(7)]
    assert max(a for a, _ in pairs) > max(b for _, b in pairs)


# --- the front door -------------------------------------------------------------------------------------------------


def test_every_game_is_known_to_gymnasium_and_twice_is_no_trouble() -> None:
    code = """
import gymnasium, ludus
from ludus.envs.registry import all_games, register_own_games
register_own_games()
games = [game for game in all_games().values() if game.players == 1]
print(all(game.id in gymnasium.registry for game in games), len(games))"""
    assert run_python(code) == f"True {len(GAMES)}"


def test_gymnasium_finds_games_by_the_modules_name_alone() -> None:
    code = "import gymnasium; print(gymnasium.make('ludus:ludus/Breakout-v1').unwrapped.game.name)"
    assert run_python(code) == "Breakout"


def test_import_is_light() -> None:
    heavy = ("torch", "numba", "llvmlite", "stable_baselines3", "pygame", "rich")
    code = f"import sys, ludus; print([name for name in {heavy} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_the_front_door_takes_names_and_games() -> None:
    game = all_games()["Catch"]
    for given in (game, "Catch", "catch", "ludus/Catch-v1"):
        assert ludus.make(given).game is game
        assert ludus.make_vec(given, num_envs=2).game is game
        assert ludus.make_sb3(given, num_envs=2).game is game
    assert ludus.make_vec("Catch").num_envs == 1024
    assert ludus.__version__.count(".") == 2
    assert ludus.PPO.__module__ == "ludus.agents.ppo.ppo"
    with pytest.raises(AttributeError, match="'ludus' has no attribute 'mak'"):
        ludus.mak  # noqa: B018
