"""What all tests share: no window opens, and no sound card is looked for."""

import os
import signal

import pytest

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
# PyTorch's own threads, in every process of the tests: two workers on two cores have none to spare, and what they compute
# does not depend on the machine then. Tests of several threads set their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if hasattr(signal, "SIGHUP"):  # whoever runs the tests may ignore it, which their processes would inherit
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as `make test &` in a script leaves it
    signal.signal(signal.SIGINT, signal.default_int_handler)

PREPARED = ("test_write_a_game.py", "test_robustness.py")  # half a minute each, before their first test


def pytest_collection_modifyitems(items):
    """What takes long to prepare comes first: were it last, two workers would share its tests and each prepare them."""
    items.sort(key=lambda item: item.path.name not in PREPARED)


@pytest.fixture
def one_thread():
    """Stable-Baselines3's small networks wait for PyTorch's threads most of the time, the more so on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
