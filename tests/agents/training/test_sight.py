"""What an agent sees, as the window shows it: decoded planes against the true ones, and gradients by pixels."""

import numpy as np
import pytest
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

import ludus
from ludus.agents import ALGORITHMS
from ludus.agents.nn.pretrained import Pretrained
from ludus.agents.nn.vision import PictureEncoder, PlanesDecoder, for_pictures
from ludus.agents.training.evaluation import Player
from ludus.agents.training.sight import CELL, EMPTY, color_of, decoded, saliency_map
from ludus.envs import Match, Observer, Simulator, all_games
from ludus.envs.bots import Bot
from ludus.envs.sb3 import vec_env
from tests.agents.small import NAMES, small

CLASSES = [name for name, algorithm in NAMES.items() if algorithm in ALGORITHMS]
SIZE, PLANES = 40, all_games()["Asterix"].planes
USES = {"freeze": ("mlp", {"freeze": True}), "finetune": ("nature", {}), "nature": ("nature", None)}


def encoder(planes=PLANES):
    torch.manual_seed(0)
    config = for_pictures("grid", (SIZE, SIZE, 3), (10, 10), channels=8, depth=1, width=16, norm="batch")
    network = PlanesDecoder(PictureEncoder(config), planes)
    return Pretrained(config, planes=tuple(planes), weights=network.state_dict())


def player(name="PPO", policy="nature", game="Asterix", use=None, obs_type="rgb", **options):
    env = ludus.make_sb3(game, 4, obs_type=obs_type, size=SIZE, **options)
    kwargs = {} if use is None else {"policy_kwargs": {"encoder": encoder(), **use}}
    agent = getattr(ludus, name)(policy, env, seed=0, **small(name), **kwargs)
    return playing(agent, game, obs_type=obs_type, size=SIZE, **options)


def playing(agent, game="Asterix", **options):
    sim = Simulator(game, seed=0, autoreset="disabled", **options)
    sim.reset()
    return Player(agent, sim)


def pixels(sight):
    """(H, W, 3)"""
    return np.frombuffer(sight.rgb, np.uint8).reshape(sight.height, sight.width, 3).astype(int)


def cell(sight, row, column):
    """(CELL, CELL, 3)"""
    return pixels(sight)[row * CELL :, column * CELL :][:CELL, :CELL]


def test_a_cell_has_the_colour_of_its_plane_and_the_legend_those_that_are_there():
    planes = np.zeros((2, 3, 4), np.uint8)
    planes[0, 1, 2] = planes[1, 2, 0] = 1
    sight = decoded(planes, ("a", "b", "c", "d"), planes)
    assert sight.legend == (("a", color_of(0)), ("c", color_of(2)))
    assert sight.note == "0 of 24 cells wrong" and (sight.width, sight.height) == (3 * CELL, 2 * CELL)
    assert np.all(cell(sight, 0, 1) == color_of(2)) and np.all(cell(sight, 1, 2) == color_of(0))
    assert np.all(cell(sight, 0, 0) == EMPTY)


def test_of_several_planes_the_last_is_inside_and_one_that_fills_the_board_hides_nothing():
    planes = np.zeros((3, 3, 3), np.uint8)
    planes[..., 2] = 1
    planes[0, :2, 0] = 1
    planes[0, 0, 1] = 1
    sight = decoded(planes, "abc", planes)
    middle, corner = CELL // 2, 0
    assert tuple(cell(sight, 0, 0)[middle, middle]) == color_of(1)
    assert tuple(cell(sight, 0, 0)[corner, corner]) == color_of(0)
    assert tuple(cell(sight, 0, 1)[middle, middle]) == color_of(0)
    assert tuple(cell(sight, 0, 1)[corner, corner]) == color_of(2)
    assert np.all(cell(sight, 2, 2) == color_of(2))


def test_wrong_cells_are_counted_by_plane_and_crossed_by_place():
    true = np.zeros((4, 4, 2), np.uint8)
    told = true.copy()
    told[1, 2] = 1  # two planes in one place
    true[3, 0, 1] = 1  # one that is missed
    sight, right = decoded(told, "ab", true), decoded(told, "ab", told)
    assert sight.note == "3 of 32 cells wrong"
    differ = {
        (row, column)
        for row, column in np.ndindex(4, 4)
        if not np.array_equal(cell(sight, row, column), cell(right, row, column))
    }
    assert differ == {(1, 2), (3, 0)}
    for place in differ:
        changed = np.any(cell(sight, *place) != cell(right, *place), -1)
        assert np.array_equal(changed, (np.eye(CELL) + np.eye(CELL)[::-1]) > 0)


def test_twenty_seven_planes_have_colours_of_their_own():
    assert len({color_of(plane) for plane in range(28)}) == 28


def test_a_decoder_is_compared_with_the_truth_of_the_same_moment(monkeypatch):
    one = player(policy="cnn", use={"decode": True})
    truth = Observer("Asterix")
    monkeypatch.setattr(PlanesDecoder, "decode", lambda *_: torch.from_numpy(truth(one.sim.records)))
    for _ in range(30):
        actions = one.decide(True)
        sight = one.sight(actions)
        assert sight.note == "0 of 400 cells wrong" and sight.cell == CELL
        one.step(actions)
    monkeypatch.setattr(PlanesDecoder, "decode", lambda *_: 1 - torch.from_numpy(truth(one.sim.records)))
    assert one.sight(actions).note == "400 of 400 cells wrong"


def test_planes_of_another_game_are_shown_but_not_compared():
    env = ludus.make_sb3("Asterix", 4, obs_type="rgb", size=SIZE)
    kwargs = {"encoder": encoder(("this", "that")), "decode": True}
    with pytest.warns(UserWarning, match="of another game"):
        agent = ludus.PPO("cnn", env, policy_kwargs=kwargs, seed=0, **small("PPO"))
    one = playing(agent, obs_type="rgb", size=SIZE)
    sight = one.sight(one.decide(True))
    assert sight.note == "of another game" and {name for name, _ in sight.legend} <= {"this", "that"}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", CLASSES)
def test_every_agent_on_pixels_has_a_saliency_map_and_plays_on_as_before(name, use):
    policy, kwargs = USES[use]
    one = player(name, policy, use=kwargs)
    weights = {key: x.clone() for key, x in one.agent.policy.state_dict().items()}
    actions = one.decide(True)
    sight = one.sight(actions)
    what = "value" if one.agent.acts_on_values else "logit"
    assert sight.note == f"gradient of the {what} of {one.sim.actions[actions[0]]}"
    assert (sight.width, sight.height, sight.cell) == (SIZE, SIZE, 0)
    assert np.ptp(pixels(sight)[..., 0] - pixels(sight)[..., 2]) > 20  # colours over the grey
    assert np.array_equal(one.decide(True), actions)
    assert all(torch.equal(weights[key], x) for key, x in one.agent.policy.state_dict().items())
    assert all(x.grad is None for x in one.agent.policy.parameters())


class Corner(BaseFeaturesExtractor):
    """Looks at 8 x 8 pixels alone."""

    def __init__(self, observation_space):
        super().__init__(observation_space, 8 * 8)

    def forward(self, obs):
        return obs[:, 0, 20:28, 4:12].flatten(1)


class Counter(Corner):
    """Counts bright pixels, through which no gradient comes back."""

    def forward(self, obs):
        return (super().forward(obs) > 0.5).float()


def looking(extractor, **options):
    env = ludus.make_sb3("Asterix", 4, obs_type="rgb", size=SIZE, **options)
    kwargs = {"features_extractor_class": extractor}
    return playing(
        ludus.PPO("nature", env, policy_kwargs=kwargs, seed=0, **small("PPO")), obs_type="rgb", size=SIZE, **options
    )


def test_the_map_is_hot_where_the_network_looks():
    one = looking(Corner)
    sight = one.sight(one.decide(True))
    hot = (pixels(sight)[..., 0] - pixels(sight)[..., 2]) > 10
    rows, columns = np.nonzero(hot)
    assert rows.min() >= 16 and rows.max() <= 31 and columns.min() >= 0 and columns.max() <= 15
    assert hot[22:26, 6:10].mean() > 0.5


def test_where_no_gradient_comes_back_there_is_no_map():
    one = looking(Counter)
    for weight in one.agent.policy.parameters():
        weight.requires_grad_(False)
    assert one.sight(one.decide(True)) is None


@pytest.mark.parametrize(
    "options", [{"obs_type": "grayscale"}, {"frame_stack": 3}, {"obs_type": "grayscale", "frame_stack": 4}]
)
def test_the_newest_picture_of_a_stack_is_shown(options, monkeypatch):
    one = player(**options)
    for _ in range(5):
        one.step(one.decide(True))
    shown = []
    monkeypatch.setattr("ludus.agents.training.sight.saliency_map", lambda picture, *_: shown.append(picture))
    one.sight(one.decide(True))
    see = Observer("Asterix", obs_type=options.get("obs_type", "rgb"), size=SIZE)
    assert np.allclose(shown[0], see(one.sim.records)[0].mean(-1), atol=1e-3)


def test_recurrent_policies_and_games_in_turn():
    env = vec_env("ConnectFour", 4, obs_type="rgb", size=SIZE)
    agent = ludus.PPO("nature", env, policy_kwargs={"memory": "mingru"}, seed=0, **small("PPO"))
    one = playing(agent, "ConnectFour", obs_type="rgb", size=SIZE)
    match, seen = Match(one.sim, [one, Bot(one.sim, "random", 0)]), []
    for _ in range(4):
        actions = match.decide(True)
        seen.append(match.sight(actions) is not None)
        match.step(actions)
    assert seen == [True, False, True, False]


def test_an_agent_on_planes_has_nothing_to_show():
    env = ludus.make_sb3("Asterix", 4)
    one = playing(ludus.PPO("cnn", env, seed=0, **small("PPO")))
    assert one.sight(one.decide(True)) is None


def test_a_map_without_a_gradient_is_the_dimmed_picture():
    sight = saliency_map(np.full((6, 4), 200.0), np.zeros((6, 4)), "logit of noop")
    assert np.all(pixels(sight) == 100) and (sight.width, sight.height) == (4, 6)
