"""Agents that can be saved, loaded, copied and pickled."""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.utils import get_system_info

from ...envs import OptionError
from ..checkpoints.checkpoint import write_checkpoint
from .agent import ATTRIBUTES, Agent
from .loading import load_agent, load_parameters
from .snapshot import check_excluded, snapshot_of

BUILT = {  # by `rebuild`, or when training begins: what knows addresses, threads and graphs
    "pool", "workers", "bar", "boundary", "network", "target_network", "optimizer_step", "adapter", "adapters", "collector",
    "collect", "data", "samples", "columns", "compute_advantages", "compute_returns", "train_epoch", "one_epoch", "update",
    "_write_obs", "_learning", "_made_of", "_modules", "_view",
}  # fmt: skip


class SavedAgent(Agent):
    """An agent with Stable-Baselines3's `save`, `load` and `set_parameters`, in files that are read without unpickling."""

    # -- copies --------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of; they have games, networks and generators of their own, which go on alike.

        A logger of the user's comes along, if it can be copied; `learn` makes any other.
        """
        left = BUILT if self._custom_logger else BUILT | {"_logger"}
        return {name: value for name, value in vars(self).items() if name not in left} | {"_shown": self._last_obs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.rebuild()

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def set_setting(self, name: str, value: Any) -> None:
        """Set an argument of the constructor, before `_setup_model`."""
        setattr(self, ATTRIBUTES.get(name, name), value)

    def own_state(self) -> dict[str, torch.Tensor]:
        """Copies of what this algorithm needs to go on beyond weights, optimizer, games and generators; on the CPU."""
        return {}

    def own_rows(self, filled: bool = True) -> dict[str, int]:
        """How many rows those tensors have of which the settings do not tell, by name.

        Args:
            filled: as `own_state` has them; False: as many as there is room for, which older files have.
        """
        return {}

    def load_own_state(self, tensors: dict[str, torch.Tensor]) -> None:
        """Put `own_state` back."""

    def save(self, path: Any, exclude: Any = None, include: Any = None, keep: int = 1, resumable: bool = True) -> None:
        """Write the agent, whole or not at all; what no file can keep, such as a function, is said in a warning.

        Args:
            path: a folder, made if need be; a zip file, if it ends in .zip; or an open file.
            exclude: names of settings to leave out; `load` then takes the constructor's defaults.
            include: names that are kept although they are in `exclude`.
            keep: how many checkpoints a folder keeps, this one included.
            resumable: also what going on with the training needs, about twice the weights and the games' state. Within a
                rollout, what is written is the moment where it began.

        Raises:
            CheckpointError: it cannot be written; all is as it was.
            OptionError: `exclude` or `include` names what cannot be left out or kept.
        """
        write_checkpoint(path, snapshot_of(self, resumable, check_excluded(self, exclude, include)), keep)

    @classmethod
    def load(
        cls,
        path: Any,
        env: Any = None,
        device: Any = "auto",
        custom_objects: dict[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        *,
        resume: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Read an agent from where `save` wrote it; nothing in it is executed. `kwargs` are the constructor's arguments.

        See `loading.load_agent` for the others. Raises CheckpointError, also if it is an agent of another algorithm, and
        TypeError for an argument that there is not.
        """
        if print_system_info:
            get_system_info()
        return load_agent(
            path, env, device, resume, class_of=lambda algorithm: cls if algorithm == cls.algorithm else None,
            to_learn=True, force_reset=force_reset, custom_objects=custom_objects, **kwargs,
        )  # fmt: skip

    def set_parameters(self, load_path_or_dict: Any, exact_match: bool = True, device: Any = "auto") -> None:
        """As Stable-Baselines3's, from a dictionary; or from where `save` wrote an agent of the same network."""
        if isinstance(load_path_or_dict, dict):
            super().set_parameters(load_path_or_dict, exact_match, device)
        elif not exact_match:
            raise OptionError("exact_match=False is for dictionaries of parameters: a file has all or is refused")
        else:
            load_parameters(self, load_path_or_dict)
