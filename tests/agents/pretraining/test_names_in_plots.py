"""Names of classes come from whoever made the data, and are drawn as they are."""

import numpy as np

from ludus.agents.pretraining import plots


def test_names_of_classes_may_be_anything(tmp_path):
    odd = ["$a_{$", "\x1b[31mred", "line\nbreak", "x" * 500]
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 2, (2, 4, 4, 4), dtype=np.uint8)
    figures = (
        plots.confusion_matrix(np.eye(4, dtype=int), odd),
        plots.f1_bars(np.array([0.1, 0.5, 0.9, np.nan]), odd),
        plots.f1_by_level(rng.random((4, 3)), odd, [1, 2, 3]),
        plots.embedding_map(rng.random((40, 3)), np.arange(40) % 4, odd),
        plots.decoded_planes(rng.integers(0, 255, (2, 16, 16, 3), dtype=np.uint8), planes, planes, odd),
    )
    for k, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{k}.png")
        assert (tmp_path / f"{k}.png").stat().st_size > 1000
    assert plots.as_labels(odd)[0] == r"\$a_{\$" and max(map(len, plots.as_labels(odd))) <= 26
