"""Gymnasium's `EnvSpec` of an environment, with arguments that JSON can hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from ..game import Game
from ..registry import is_importable


class Specified:
    """An environment whose `spec` can be written to JSON, whatever Gymnasium puts there."""

    _spec: EnvSpec | None = None

    @property
    def spec(self) -> EnvSpec | None:
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        kwargs = {} if spec is None else {name: _in_json(value) for name, value in spec.kwargs.items()}
        self._spec = None if spec is None else replace(spec, kwargs=kwargs)


def _in_json(value: Any) -> Any:
    """An argument in another form that means the same here, if JSON does not know this one."""
    if isinstance(value, Game):
        return value.name if is_importable(value) else value
    if isinstance(value, AutoresetMode):
        return value.value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return list(value) if isinstance(value, (range, tuple)) else value
