"""Small networks on one thread: on a machine that others use, several would wait for each other most of the time."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def on_one_thread(one_thread):
    """For every test here."""


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """Nothing of a data set is left behind, nothing is shown, no network is looked for; and each has the same data alone."""
    import datasets

    from tests.agents.pretraining import hub_data

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    monkeypatch.setattr(hub_data, "rng", np.random.default_rng(0))
