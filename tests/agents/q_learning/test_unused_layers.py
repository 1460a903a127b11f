"""Layers that the action values do not depend on, beside Stable-Baselines3's: training goes on, and they stay as they are."""

import pytest
import stable_baselines3
import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

import ludus
from tests.agents.conformance import agent_of


class Extractor(BaseFeaturesExtractor):
    """Has a layer that it does not use; and one that it uses."""

    def __init__(self, space):
        super().__init__(space, 8)
        self.used, self.unused = torch.nn.Linear(4, 8), torch.nn.Linear(4, 4)

    def forward(self, obs):
        return torch.tanh(self.used(obs))


@pytest.mark.parametrize(
    ("library", "name"), [(stable_baselines3, "DQN"), (ludus, "DQN"), (ludus, "PQN")], ids=["sb3", "DQN", "PQN"]
)
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
def test_they_do_not_move(library, name, optimizer):
    kwargs = {
        "features_extractor_class": Extractor, "net_arch": [8], "optimizer_class": optimizer,
        "optimizer_kwargs": {"weight_decay": 0.1},
    }  # fmt: skip
    agent = agent_of(library, name, policy_kwargs=kwargs, learning_rate=0.01)
    extractor = agent.policy.q_net.features_extractor
    before = {name: x.detach().clone() for name, x in extractor.named_parameters()}
    agent.learn(64)
    after = dict(extractor.named_parameters())
    assert agent._n_updates > 0
    for key, x in before.items():
        assert torch.equal(x, after[key]) == key.startswith("unused"), key
