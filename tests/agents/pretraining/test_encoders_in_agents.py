"""Agents that see through a pretrained encoder: frozen, decoded to planes, or fine-tuned."""

import numpy as np
import pytest
import stable_baselines3
import torch

import ludus
from ludus.agents import ALGORITHMS, load_agent
from ludus.agents.checkpoints.encoder_file import load_encoder, save_encoder
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.nn.on_pretrained import PretrainedExtractor
from ludus.agents.nn.vision import ClonedPolicy, PictureEncoder, PlanesDecoder, for_pictures
from ludus.envs import OptionError
from tests.agents.encoded import SIZE, pictures, save_decoder
from tests.agents.small import NAMES, small

CLASSES = [name for name, algorithm in NAMES.items() if algorithm in ALGORITHMS]
USES = {"freeze": {"freeze": True}, "decode": {"decode": True}, "finetune": {}, "slow": {"finetune_lr": 1e-4}}
POLICIES = {"freeze": "mlp", "decode": "cnn", "finetune": "nature", "slow": "nature"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_decoder(tmp_path_factory.mktemp("encoder"), norm="batch", dropout=0.1)


def agent_of(name, use, folder, env=None, **more):
    kwargs = {"encoder": folder, **USES[use]}
    env = pictures() if env is None else env
    return getattr(ludus, name)(POLICIES[use], env, policy_kwargs=kwargs, seed=0, **small(name), **more)


def encoder_weights(agent):
    """Of the encoder, by name; a copy."""
    found = {
        name: x.clone() for name, x in agent.policy.state_dict().items() if ".encoder." in name or "frozen" in name
    }
    assert found
    return found


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", CLASSES)
def test_agents_learn_save_and_load(name, use, folder, tmp_path):
    agent = agent_of(name, use, folder, pictures(max_episode_steps=20))
    before, told = encoder_weights(agent), load_encoder(folder).for_agents().weights
    for key, weight in before.items():
        known = key.rpartition("encoder.")[2] if use in ("finetune", "slow", "freeze") else key.partition("network.")[2]
        known = known.removeprefix("frozen.network.")
        assert torch.equal(weight, told[known if known in told else f"encoder.{known}"]), key
    agent.learn(256)
    moved = any(not torch.equal(before[key], x) for key, x in encoder_weights(agent).items())
    assert moved == (use in ("finetune", "slow"))
    obs = agent.env.reset()
    agent.save(tmp_path)
    back = load_agent(tmp_path)  # which needs no encoder's folder
    assert np.array_equal(back.predict(obs, deterministic=True)[0], agent.predict(obs, deterministic=True)[0])
    assert back.observation_space == agent.observation_space


@pytest.mark.parametrize("use", ["freeze", "decode", "finetune"])
@pytest.mark.parametrize("name", CLASSES)
def test_training_goes_on_to_the_last_bit(name, use, folder, tmp_path):
    """The encoder that learns along has dropout, which draws from PyTorch's own generator."""
    agent = agent_of(name, use, folder)
    agent.learn(128)
    agent.save(tmp_path)
    agent.learn(128, reset_num_timesteps=False)
    torch.manual_seed(7)
    back = load_agent(tmp_path, resume=True)
    back.learn(128, reset_num_timesteps=False)
    for key, weight in agent.policy.state_dict().items():
        assert torch.equal(weight, back.policy.state_dict()[key]), key


@pytest.mark.parametrize("use", USES)
def test_agents_have_no_batch_normalization(use, folder):
    """Which would differ between rollouts and updates; DQN's batches would be of other pictures than were trained on."""
    policy = agent_of("PPO", use, folder).policy
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in policy.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in load_encoder(folder).network().modules())


@pytest.mark.parametrize("use", ["freeze", "decode"])
def test_what_is_stored_is_what_the_encoder_gives(use, folder):
    """In a rollout and a replay buffer; no picture goes through the encoder twice."""
    env, encoder = pictures(), load_encoder(folder).for_agents().network()
    agent = agent_of("PPO", use, folder, env)
    agent.learn(64)
    stored = agent.data.obs[0]
    seen = torch.from_numpy(pictures().reset()).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = encoder.decode(seen) if use == "decode" else encoder.encoder.spatial(seen).flatten(1) / 2
    assert stored.shape == expected.shape and stored.dtype == expected.dtype
    agent = agent_of("DQN", use, folder, env)
    agent.learn(64)
    assert agent.replay.frames.shape[2:] == expected.shape[1:]


def test_an_encoder_that_knows_the_planes_makes_an_agent_that_learns_as_from_planes(folder, monkeypatch):
    """By every step alike: the first layers see the very same numbers."""
    truth = ludus.envs.Observer("Asterix")
    sim = {}

    def decode(self, seen):
        return torch.from_numpy(truth(sim["sim"].records)) if len(seen) == 4 else torch.zeros(len(seen), 10, 10, 4)

    monkeypatch.setattr(PlanesDecoder, "decode", decode)
    env = pictures()
    sim["sim"] = env.simulator
    decoded = agent_of("PPO", "decode", folder, env)
    plain = ludus.PPO("cnn", ludus.make_sb3("Asterix", 4, seed=0), seed=0, **small("PPO"))
    decoded.policy.load_state_dict(plain.policy.state_dict(), strict=False)  # making the encoder drew random numbers
    for agent in (decoded, plain):
        agent.learn(128)
    weights, expected = decoded.policy.state_dict(), plain.policy.state_dict()
    assert all(torch.equal(weights[key], weight) for key, weight in expected.items())


def test_the_learning_rate_of_the_encoder_is_its_own_and_annealed_alike(folder):
    agent = ludus.PPO(
        "nature", pictures(), seed=0,
        policy_kwargs={"encoder": folder, "finetune_lr": 1e-4},
        **{**small("PPO"), "learning_rate": lambda left: 5e-4 * (1 + left)},
    )  # fmt: skip
    agent.learn(256)
    rest, encoder = (group["lr"] for group in agent.policy.optimizer.param_groups)
    assert encoder == pytest.approx(rest / 10) and 0 < rest < 1e-3


def test_it_is_an_extractor_for_stable_baselines3_too(folder):
    for trainable in (True, False):
        kwargs = {"encoder": load_encoder(folder), "trainable": trainable}
        agent = stable_baselines3.PPO(
            "CnnPolicy", pictures(), n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu",
            policy_kwargs={"features_extractor_class": PretrainedExtractor, "features_extractor_kwargs": kwargs},
        )  # fmt: skip
        weight = agent.policy.features_extractor.encoder.body[0].weight
        before = weight.clone()
        told = load_encoder(folder).for_agents()
        assert torch.equal(before, told.encoder().body[0].weight)  # ortho_init comes after it was made
        agent.learn(64)
        assert torch.equal(before, weight) != trainable


def test_threads_and_a_vec_env_of_another_library_encode_too(folder):
    from stable_baselines3.common.vec_env import DummyVecEnv

    shared = agent_of("PPO", "decode", folder, pictures(1024), num_threads=2)
    shared.learn(1024 * 16)
    assert shared.data.obs.max() <= 1

    def one():
        import gymnasium

        return gymnasium.make("ludus/Asterix-v1", obs_type="rgb", size=SIZE)

    foreign = agent_of("PPO", "decode", folder, DummyVecEnv([one, one]))
    foreign.learn(64)
    assert foreign.data.obs.shape[2:] == (10, 10, 4)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"freeze": True}, "freeze needs an encoder"),
        ({"encoder": "FOLDER", "freeze": True, "decode": True}, "freeze and decode exclude each other"),
        ({"encoder": "FOLDER", "finetune_lr": 0.0}, "finetune_lr must be above 0"),
        ({"encoder": "nowhere"}, "nowhere has no encoder.json"),
        ({"encoder": 3}, "got 3"),
    ],
)
def test_what_is_wrong_is_said(kwargs, words, folder):
    kwargs = {name: folder if value == "FOLDER" else value for name, value in kwargs.items()}
    with pytest.raises((OptionError, CheckpointError), match=words):
        ludus.PPO("nature", pictures(), policy_kwargs=kwargs)


def test_pictures_of_another_size_and_planes_are_refused(folder):
    for env in (ludus.make_sb3("Asterix", 2, obs_type="rgb", size=48), ludus.make_sb3("Asterix", 2)):
        with pytest.raises(OptionError, match="the encoder sees rgb pictures of 40x40"):
            ludus.PPO("mlp", env, policy_kwargs={"encoder": folder, "freeze": True})


def test_planes_of_another_game_are_decoded_with_a_warning(folder):
    env = ludus.make_sb3("Breakout", 4, obs_type="rgb", size=SIZE)
    with pytest.warns(
        UserWarning, match=r"of another game: it tells player, enemy, trail, gold; planes of Breakout: paddle"
    ):
        agent_of("PPO", "decode", folder, env)


def test_an_encoder_without_planes_cannot_decode(tmp_path):
    save_encoder(tmp_path, PictureEncoder(for_pictures("nature", (SIZE, SIZE, 3), None)), {})
    with pytest.raises(OptionError, match="decode needs an encoder that tells planes"):
        ludus.PPO("cnn", pictures(), policy_kwargs={"encoder": tmp_path, "decode": True})


def test_ppo_begins_as_the_policy_that_was_cloned(tmp_path):
    env = pictures()
    names = env.simulator.actions
    torch.manual_seed(1)
    cloned = ClonedPolicy(PictureEncoder(for_pictures("nature", (SIZE, SIZE, 3), None, width=32)), names).eval()
    seen = torch.randint(0, 255, (32, 3, SIZE, SIZE), dtype=torch.uint8)
    with torch.no_grad():
        cloned.head.weight.mul_(50)
        cloned.head.bias.sub_(cloned(seen).mean(0))  # so that actions differ
    save_encoder(tmp_path / "cloned", cloned, {})
    agent = agent_of("PPO", "finetune", tmp_path / "cloned", env)
    expected = cloned(seen).argmax(1).numpy()
    assert len(set(expected)) > 1
    assert np.array_equal(agent.predict(seen.numpy(), deterministic=True)[0], expected)
    agent.learn(128)
    agent.save(tmp_path / "agent")
    back = load_agent(tmp_path / "agent")
    assert np.array_equal(
        back.predict(seen.numpy(), deterministic=True)[0], agent.predict(seen.numpy(), deterministic=True)[0]
    )
    for name in ("DQN", "PQN"):  # which take the encoder alone
        agent_of(name, "finetune", tmp_path / "cloned").learn(64)


def test_a_cloned_policy_knows_its_actions_by_name(tmp_path):
    env, names = pictures(full_action_space=True), pictures().simulator.actions
    torch.manual_seed(1)
    cloned = ClonedPolicy(PictureEncoder(for_pictures("nature", (SIZE, SIZE, 3), None, width=32)), names[::-1]).eval()
    save_encoder(tmp_path / "cloned", cloned, {})
    agent = agent_of("PPO", "finetune", tmp_path / "cloned", env)
    seen = torch.randint(0, 255, (8, 3, SIZE, SIZE), dtype=torch.uint8)
    logits, theirs = agent.policy.get_distribution(seen).distribution.logits, cloned(seen).log_softmax(1)
    order = [env.simulator.actions.index(name) for name in names[::-1]]
    assert len(env.simulator.actions) == 6 and len(names) == 5
    assert torch.allclose(logits[:, order].log_softmax(1), theirs, atol=1e-5)
    (other,) = set(range(6)) - set(order)
    assert (logits[:, other] < logits[:, order].amax(1)).all()
    agent.learn(64)
    save_encoder(tmp_path / "others", ClonedPolicy(cloned.encoder, ("hop", "skip")), {})
    with pytest.raises(OptionError, match="chooses from hop, skip, here are"):
        agent_of("PPO", "finetune", tmp_path / "others", env)


def test_noisy_layers_and_normalization_leave_the_encoder_as_it_is(folder):
    seen = torch.randint(0, 255, (8, 3, SIZE, SIZE), dtype=torch.uint8)
    encoder = load_encoder(folder).encoder()
    for settings in ({"noisy": True}, {"layer_norm": True}, {"dueling": True}):
        agent = agent_of("DQN", "finetune", folder, **settings)
        features = agent.policy.q_net.extract_features(seen)
        assert torch.allclose(features, agent.policy.q_net.features_extractor.encoder.eval()(seen), atol=1e-6)
        assert torch.allclose(agent.policy.q_net.features_extractor.encoder(seen), encoder(seen), atol=1e-6), settings
