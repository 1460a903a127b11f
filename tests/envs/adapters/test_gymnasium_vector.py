"""Many games as Gymnasium knows them: what is particular to our vector; `test_conformance` has what all vectors share."""

import os

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

import ludus
from ludus.envs import ActionError, GameVectorEnv, OptionError

every_mode = pytest.mark.parametrize("mode", list(AutoresetMode), ids=[mode.value for mode in AutoresetMode])


@every_mode
def test_statistics_of_episodes_are_their_sums(mode: AutoresetMode) -> None:
    envs = ludus.make_vec("Catch", num_envs=6, autoreset_mode=mode, episode_info=True)
    envs.reset()
    for _ in range(9):  # Catch: nine steps, and a reward of 1 or -1 in the last
        _, reward, _, _, infos = envs.step(np.ones(6, np.int64))
    assert set(np.abs(reward)) == {1}
    assert np.array_equal(infos["episode"]["r"], reward)
    assert set(infos["episode"]["l"]) == {9}


@every_mode
def test_a_vector_truncates(mode: AutoresetMode) -> None:
    envs = gymnasium.make_vec("ludus/Catch-v1", num_envs=3, max_episode_steps=4, autoreset_mode=mode)
    envs.reset(seed=0)
    results = [envs.step(np.ones(3, np.int64)) for _ in range(4)]
    assert [truncated.tolist() for _, _, _, truncated, _ in results] == [[False] * 3] * 3 + [[True] * 3]
    assert not any(terminated.any() for _, _, terminated, _, _ in results)


def test_steps_without_an_end_say_nothing() -> None:
    envs = ludus.make_vec("Catch", num_envs=4)
    assert envs.reset()[1] == {}
    assert [envs.step(np.ones(4, np.int64))[-1] for _ in range(8)] == [{}] * 8


def test_copies_may_be_kept_and_own_arrays_are_overwritten() -> None:
    copying = ludus.make_vec("Catch", num_envs=4, seed=1)
    sharing = ludus.make_vec("Catch", num_envs=4, seed=1, copy=False)
    first, same = copying.reset()[0], sharing.reset()[0]
    assert np.array_equal(first, same)
    assert same is sharing.simulator.obs
    second = sharing.step(np.ones(4, np.int64))[0]
    assert second is same
    assert not np.array_equal(first, second)
    assert not any(np.shares_memory(a, copying.simulator.obs) for a in (first, copying.step(np.ones(4, np.int64))[0]))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_torch_output_is_the_simulators_memory(mode: str) -> None:
    import torch

    envs = ludus.make_vec("Catch", num_envs=4, seed=1, output="torch", autoreset_mode=mode, episode_info=True)
    twin = ludus.make_vec("Catch", num_envs=4, seed=1, autoreset_mode=mode, episode_info=True)
    obs, _ = envs.reset()
    assert isinstance(obs, torch.Tensor)
    assert obs.data_ptr() == envs.simulator.obs.ctypes.data
    assert np.array_equal(obs.numpy(), twin.reset()[0])
    for _ in range(20):
        *results, infos = envs.step(torch.ones(4, dtype=torch.int64))
        *expected, their_infos = twin.step(np.ones(4, np.int64))
        for ours, theirs in zip(results, expected, strict=True):
            assert np.array_equal(ours.numpy(), theirs)
        assert infos.keys() == their_infos.keys()
        if infos:
            ended = their_infos["_episode"]
            assert np.array_equal(infos["_episode"].numpy(), ended)
            assert np.array_equal(infos["episode"]["r"].numpy()[ended], their_infos["episode"]["r"][ended])
        if "final_obs" in infos:
            assert np.array_equal(infos["final_obs"][0].numpy(), their_infos["final_obs"][0])


def test_seeds_of_a_vector() -> None:
    envs = GameVectorEnv("Breakout", 3, seed=5)
    from_constructor, going_on = envs.reset()[0], envs.reset()[0]
    assert np.array_equal(from_constructor, envs.reset(seed=5)[0])
    assert np.array_equal(going_on, envs.reset()[0])
    assert np.array_equal(from_constructor, envs.reset(seed=[5, 6, 7])[0])
    for k in range(3):
        assert np.array_equal(from_constructor[k], ludus.make("Breakout").reset(seed=5 + k)[0])
    with pytest.raises(OptionError, match="expected 3, got 2"):
        envs.reset(seed=[1, 2])


def test_pictures_of_a_vector() -> None:
    envs = gymnasium.make_vec("ludus/Catch-v1", num_envs=2, render_mode="rgb_array")
    envs.reset(seed=0)
    pictures = envs.render()
    assert [picture.shape for picture in pictures] == [(480, 480, 3)] * 2
    assert np.array_equal(pictures[1], envs.simulator.frame(1, 480))


@pytest.mark.gpu
@every_mode
def test_on_a_gpu_all_faces_give_the_same(mode: AutoresetMode) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available() and "NUMBA_ENABLE_CUDASIM" not in os.environ:
        pytest.skip("no GPU here")
    options = {"num_envs": 3, "seed": 2, "autoreset_mode": mode, "max_episode_steps": 6, "episode_info": True}
    here, there = ludus.make_vec("Catch", **options), ludus.make_vec("Catch", device="cuda", **options)
    tensors = ludus.make_vec("Catch", device="cuda", output="torch", **options)
    pairs = [ludus.make_sb3("Catch", 3, seed=2, max_episode_steps=6, device=device) for device in ("cpu", "cuda")]
    for envs in (here, there, tensors, *pairs):
        envs.reset()
    for step in range(6):
        actions = np.arange(3) * step % 3
        *expected, infos = here.step(actions)
        *copied, their_infos = there.step(actions)
        shared = tensors.step(torch.as_tensor(actions, device=tensors.simulator.device))[:4]
        for a, b, c in zip(expected, copied, shared, strict=True):
            assert np.array_equal(a, b)
            assert np.array_equal(a, c.cpu().numpy())
        assert data_equivalence(their_infos, infos, exact=True)
        one, other = (env.step(actions) for env in pairs)
        assert data_equivalence(one[:3], other[:3], exact=True)
        assert [info.get("episode", {}).get("r") for info in one[3]] == [
            i.get("episode", {}).get("r") for i in other[3]
        ]
    assert infos["_episode"].all()
    there.reset()
    with pytest.raises(ActionError, match="action 9 of environment 1"):
        there.step(np.array([0, 9, 0]))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_masks_as_tensors(mode: str) -> None:
    torch = pytest.importorskip("torch")
    options = {"num_envs": 3, "seed": 1, "autoreset_mode": mode, "max_episode_steps": 2}
    tensors, arrays = ludus.make_vec("Game2048", output="torch", **options), ludus.make_vec("Game2048", **options)
    tensors.reset(), arrays.reset()
    for k in range(4):
        ours, theirs = (envs.step(np.full(3, k))[-1] for envs in (tensors, arrays))
        assert ours.keys() == theirs.keys() and ours["_action_mask"].dtype == torch.bool
        assert np.array_equal(ours["action_mask"], theirs["action_mask"])
        if mode == "SameStep" and k % 2:
            assert np.array_equal(ours["final_info"]["action_mask"], theirs["final_info"]["action_mask"])
    if mode == "NextStep":
        whose = np.array([True, False, True])
        assert tensors.reset(options={"reset_mask": whose})[1]["_action_mask"].tolist() == whose.tolist()
