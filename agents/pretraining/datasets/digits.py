"""Handwritten digits that come with scikit-learn: 1,797 pictures of 8x8, without a download."""

from __future__ import annotations

import numpy as np

from ...runtime.extras import need
from .examples import Examples, parts_of


def digits() -> Examples:
    """Handwritten digits (Alpaydin & Kaynak 1998), (1797, 8, 8, 1); parts are by content."""
    data = need("sklearn.datasets", "digits").load_digits()
    pictures = (data.images * 255 / 16).round().astype(np.uint8)[..., None]  # there from 0 to 16
    names = tuple(str(name) for name in data.target_names)
    return Examples("digits", pictures, data.target.astype(np.int64), names, parts_of(pictures))
