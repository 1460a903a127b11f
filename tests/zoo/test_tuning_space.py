"""What is tuned stands in the configs, within the limits that stand there, and holds the defaults."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from ludus.agents.files.config import CONFIGS, Layers, Range, options_of
from ludus.cli.settings import GYMNASIUM, PRESETS, SETTINGS
from ludus.cli.train import from_recipe
from ludus.zoo import recipe_names
from ludus.zoo.tuning.space import parameters_of, space_of, suggested

TUNED = [(name, option) for name, config in CONFIGS.items() for option in options_of(config) if option.tune is not None]
BEGINNINGS = {
    **{name: (name, kind()) for name, kind in SETTINGS.items()},
    **{f"{name} in Gymnasium": (name, kind) for name, kind in GYMNASIUM.items()},
    **{
        f"{name} {preset}": (name, SETTINGS[name](**values))
        for name, presets in PRESETS.items()
        for preset, values in presets.items()
    },
    **{f"recipe of {game}": (from_recipe(game).algo, from_recipe(game).settings) for game in recipe_names()},
}


@pytest.mark.parametrize(("algorithm", "option"), TUNED, ids=lambda x: getattr(x, "name", x))
def test_what_is_tried_is_within_the_options_limits_and_has_its_default(algorithm, option):
    assert option.flag and option.kinds
    if isinstance(option.tune, Range):
        assert option.low <= option.tune.low < option.tune.high <= option.high
        assert option.tune.low <= option.train <= option.tune.high and (option.tune.low > 0 or not option.tune.log)
    elif isinstance(option.tune, Layers):
        assert min(option.tune.counts) >= 0 and min(option.tune.widths) >= 1
    else:
        assert len(option.tune) > 1 and (option.train in option.tune or option.train is None)
        assert all(isinstance(value, option.kinds[0]) for value in option.tune)
        if option.choices:
            assert set(option.tune) <= set(option.choices)
        if option.low is not None:
            assert option.low <= min(option.tune) and max(option.tune) <= option.high


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_the_first_trial_has_the_settings_to_begin_with(beginning):
    algorithm, start = BEGINNINGS[beginning]
    space = space_of(algorithm, start)
    assert {"learning_rate", "batch_size", "net_arch"} <= space.keys()
    assert suggested(FixedTrial(parameters_of(space, start)), space, start) == start


def value_of(draw, tried, name):
    match tried:
        case Layers():
            return {"layers": draw(st.sampled_from(tried.counts)), "width": draw(st.sampled_from(tried.widths))}
        case Range():
            kind = st.integers(int(tried.low), int(tried.high)) if name in WHOLE else st.floats(tried.low, tried.high)
            return {name: draw(kind)}
    return {name: draw(st.sampled_from(tried))}


WHOLE = {option.name for _, option in TUNED if option.kinds[0] is int}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_whatever_is_suggested_is_within_the_limits_and_fits(data):
    algorithm = data.draw(st.sampled_from(sorted(CONFIGS)))
    start = SETTINGS[algorithm](num_envs=data.draw(st.sampled_from([4, 64, 512])))
    space = space_of(algorithm, start)
    parameters: dict = {}
    for name, tried in space.items():
        parameters |= value_of(data.draw, tried, name)
    found = suggested(FixedTrial(parameters), space, start)
    for option in options_of(CONFIGS[algorithm]):
        value = getattr(found, option.name, None)
        if option.low is not None and value is not None:
            assert option.low <= value and (option.high is None or value <= option.high)
    assert all(getattr(found, name) == value for name, value in vars(start).items() if name not in space)
    if algorithm != "dqn":
        assert found.batch_size <= found.n_steps * found.num_envs
    if algorithm == "ppo":
        assert (found.activation is None) == (not found.net_arch)


def test_what_a_flag_says_is_not_tuned():
    space = space_of("ppo", SETTINGS["ppo"](learning_rate=1e-3), {"learning_rate", "game"})
    assert "learning_rate" not in space and "gamma" in space


def test_values_beyond_what_is_tried_are_tried_too():
    start = dataclasses.replace(SETTINGS["ppo"](), learning_rate=0.5, gamma=0.97, net_arch=(32,) * 5)
    space = space_of("ppo", start)
    assert space["learning_rate"].high == 0.5 and 0.97 in space["gamma"]
    assert 5 in space["net_arch"].counts and 32 in space["net_arch"].widths
    assert "net_arch" not in space_of("ppo", dataclasses.replace(start, net_arch=(32, 64)))
