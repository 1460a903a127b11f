"""What `learn` takes, and that an agent learns in one place at a time."""

from threading import Event, Thread

import pytest

import ludus
from ludus.agents.checkpoints.schema import SCHEMAS
from ludus.envs import OptionError
from tests.agents.conformance import OURS, agent_of

WRONG = {
    "log_interval": [0, -2, "often", float("nan")],
    "reset_num_timesteps": ["no", 1, None],
    "progress_bar": ["x", 1],
    "tb_log_name": [3],
    "callback": [5, [5], "x"],
}


@pytest.mark.parametrize(("library", "name"), OURS)
@pytest.mark.parametrize(("argument", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_arguments_are_refused_in_a_line(library, name, argument, value):
    agent = agent_of(library, name)
    with pytest.raises(OptionError, match=f"^{argument} must be .*, got .*$"):
        agent.learn(32, **{argument: value})
    assert agent.num_timesteps == 0 and agent.learn(32, log_interval=None).num_timesteps == 32


@pytest.mark.parametrize("algo", SCHEMAS)
def test_learning_within_learning_is_refused_and_the_outer_goes_on(algo):
    agent, said = agent_of(ludus, algo.upper()), []

    def again(heard, _):
        with pytest.raises(OptionError, match=r"^this agent is learning already: call learn again when it has ended"):
            agent.learn(32)
        return said.append(heard["self"].num_timesteps) or True

    assert agent.learn(64, callback=again).num_timesteps == 64 and len(said) == 32
    assert agent.learn(32).num_timesteps == 32, "when it is over, it may learn again"


@pytest.mark.parametrize("algo", SCHEMAS)
def test_of_two_threads_one_learns(algo):
    agent, begun, refused = agent_of(ludus, algo.upper()), Event(), Event()
    first = Thread(target=agent.learn, args=(64,), kwargs={"callback": lambda *_: begun.set() or refused.wait(60)})
    first.start()
    assert begun.wait(60)
    with pytest.raises(OptionError, match="learning already"):
        agent.learn(32)
    refused.set()
    first.join()
    assert agent.num_timesteps == 64


def test_an_error_in_training_leaves_an_agent_that_learns():
    agent = agent_of(ludus, "PPO")
    with pytest.raises(ZeroDivisionError):
        agent.learn(64, callback=lambda *_: 1 / 0)
    assert agent.learn(32).num_timesteps == 32
