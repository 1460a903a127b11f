"""What tests of agents share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """Stable-Baselines3's small networks wait for PyTorch's threads most of the time, the more so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
