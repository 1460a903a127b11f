"""An encoder of single pictures sees a stack of them one by one, the newest last."""

import numpy as np
import pytest
import torch

import ludus
from ludus.agents import load_agent
from ludus.agents.checkpoints.encoder_file import load_encoder, save_encoder
from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.training.evaluation import Player
from ludus.envs import Observer, OptionError, Simulator
from tests.agents.encoded import SIZE, pictures, save_decoder
from tests.agents.small import small

STACK = 3
POLICIES = {"freeze": "mlp", "decode": "cnn", "finetune": "nature"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("encoder"))


def stacks():
    return pictures(frame_stack=STACK)


def agent_of(name, use, folder):
    kwargs = {"encoder": folder, **({} if use == "finetune" else {use: True})}
    return getattr(ludus, name)(POLICIES[use], stacks(), policy_kwargs=kwargs, seed=0, **small(name))


@pytest.mark.parametrize("use", POLICIES)
@pytest.mark.parametrize("name", ["PPO", "DQN", "PQN"])
def test_agents_learn_save_and_load(name, use, folder, tmp_path):
    agent = agent_of(name, use, folder)
    agent.learn(256)
    obs = agent.env.reset()
    agent.save(tmp_path)
    back = load_agent(tmp_path)
    assert np.array_equal(back.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])


@pytest.mark.parametrize("use", ["freeze", "decode"])
def test_each_picture_is_encoded_by_itself(use, folder):
    agent, network = agent_of("PPO", use, folder), load_encoder(folder).network()
    obs = agent.env.reset()
    for _ in range(5):
        obs = agent.env.step(np.full(4, 1))[0]
    encoded = agent.policy.obs_to_tensor(obs)[0]
    pictures = torch.from_numpy(np.asarray(obs))  # (N, K * C, H, W)
    assert pictures.shape == (4, STACK * 3, SIZE, SIZE)
    for k in range(STACK):
        one = pictures[:, 3 * k : 3 * (k + 1)]
        if use == "decode":
            planes = len(network.planes)
            assert torch.equal(encoded[..., planes * k : planes * (k + 1)], network.decode(one))
        else:
            maps = (network.encoder.spatial(one) / network.encoder.map_scale).flatten(1)
            assert torch.allclose(encoded.unflatten(1, (STACK, -1))[:, k], maps, atol=1e-6)


def test_the_newest_picture_is_what_is_shown(folder):
    agent = agent_of("PPO", "decode", folder)
    sim = Simulator("Asterix", 1, seed=3, obs_type="rgb", size=SIZE, frame_stack=STACK)
    sim.reset()
    for _ in range(6):
        sim.step(np.array([1]))
    sight = Player(agent, sim).sight(np.array([0]))
    newest = torch.from_numpy(sim.obs[:1, ..., -3:]).permute(0, 3, 1, 2)
    planes, true = load_encoder(folder).network().decode(newest)[0].numpy(), Observer("Asterix")(sim.records)[0]
    assert sight is not None and sight.note == f"{(planes != true).sum()} of {true.size} cells wrong"


def test_a_stack_in_the_original_of_stable_baselines3(folder):
    import stable_baselines3
    from stable_baselines3.common.vec_env import VecFrameStack

    from ludus.agents import PretrainedExtractor

    env = VecFrameStack(ludus.make_sb3("Asterix", 4, seed=0, obs_type="rgb", size=SIZE), STACK)
    kwargs = {
        "features_extractor_class": PretrainedExtractor,
        "features_extractor_kwargs": {"encoder": load_encoder(folder)},
    }
    agent = stable_baselines3.PPO("CnnPolicy", env, n_steps=16, batch_size=32, policy_kwargs=kwargs, seed=0)
    assert agent.policy.features_dim == 16 * STACK
    agent.learn(64)


def test_three_gray_pictures_could_be_colours(tmp_path):
    config = for_pictures("grid", (SIZE, SIZE, 1), (10, 10), channels=8, depth=1, width=16)
    save_encoder(tmp_path, PictureEncoder(config), {})
    for env in (stacks(), ludus.make_sb3("Asterix", 2, obs_type="rgb", size=SIZE)):
        with pytest.raises(OptionError, match="the encoder sees grayscale pictures of 40x40"):
            ludus.PPO("mlp", env, policy_kwargs={"encoder": tmp_path, "freeze": True})
    env = ludus.make_sb3("Asterix", 2, obs_type="grayscale", size=SIZE, frame_stack=4)
    agent = ludus.PPO("mlp", env, policy_kwargs={"encoder": tmp_path, "freeze": True})
    assert agent.policy.frozen.stacked == 4
