"""What episodes ended with that were cut off: it goes on counting, and is not in the memory's next row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..nn.actor_critic import each
from ..runtime.hardware import on_gpu

if TYPE_CHECKING:
    from .env_adapters import EnvAdapter
    from .replay_buffer import ReplayTensors


class FinalObservations:
    """Final observations of episodes that were cut off: what followed there is not in the next row, but goes on counting.

    Where a game's limit of steps is known, so is the room they need, and nothing waits for a GPU. Else there is room for as
    many as come.
    """

    def __init__(self, replay: ReplayTensors, adapter: EnvAdapter) -> None:
        self.replay = replay
        limit = adapter.max_episode_steps
        self.counted = not on_gpu(replay.device) or limit is None
        self.room = replay.games * (1 if self.counted or limit is None else replay.steps // limit + 2)
        self.places = torch.zeros((replay.steps, replay.games), dtype=torch.int64, device=replay.device)
        self.used = torch.zeros(1, dtype=torch.int64, device=replay.device)
        self.counts = torch.zeros(replay.steps, dtype=torch.int64, device=replay.device)  # of each row, where counted
        # One more than there is room for: what is not to be kept goes there.
        self.obs = each(
            lambda x: torch.zeros((self.room + 1, *x.shape[1:]), dtype=x.dtype, device=x.device), adapter.obs
        )

    def keep(self, row: Tensor, cut: Tensor, final_obs: Any) -> None:
        """Those of games cut off, (N,) bool, in a row of the memory; the oldest make room."""
        if self.counted:
            games = cut.nonzero().squeeze(-1)
            self.counts[row] = self.replay.truncated[row].sum()
            if len(games):
                if int(self.counts.sum()) > self.room:
                    self._make_room(row, games)
                places = (self.used + torch.arange(len(games), device=cut.device)) % self.room
                self.places[row, games] = places
                write_rows(self.obs, places, each(lambda x: x[games], final_obs), rows=True)
                self.used += len(games)
            return
        places = torch.where(cut, (self.used + cut.long().cumsum(0) - 1) % self.room, self.room)
        self.places.index_copy_(0, row, places.unsqueeze(0))
        write_rows(self.obs, places, final_obs, rows=True)
        self.used += cut.sum()

    def none(self, row: Tensor) -> None:
        """No game was cut off in this row; on a CPU."""
        self.counts.numpy()[int(row)] = 0

    def _make_room(self, row: Tensor, coming: Tensor) -> None:
        """For these games of a row beside all that are still needed, and for as many again."""
        others = self.replay.truncated.clone()
        others[row, coming] = False
        rows, games = others.nonzero(as_tuple=True)
        oldest_first = ((rows - row - 1) % self.replay.steps).sort(stable=True).indices
        rows, games = rows[oldest_first], games[oldest_first]
        kept, old = self.places[rows, games], self.obs
        self.resize(2 * int(self.counts.sum()))
        write_rows(self.obs, torch.arange(len(kept), device=kept.device), each(lambda x: x[kept], old), rows=True)
        self.places[rows, games] = torch.arange(len(kept), device=kept.device)
        self.used.fill_(len(kept))

    def resize(self, room: int) -> None:
        """Empty room for so many."""
        self.room = room
        self.obs = each(lambda x: torch.zeros((room + 1, *x.shape[1:]), dtype=x.dtype, device=x.device), self.obs)

    def put(self, next_obs: Any, last: Tensor, games: Tensor) -> Any:
        """Observations (B, *shape), but final ones where the steps (last, games) were cut off; on a CPU in place."""
        cut = self.replay.truncated[last, games]
        if not on_gpu(self.replay.device):
            rows = cut.nonzero().squeeze(-1)
            if len(rows):
                places = self.places[last[rows], games[rows]]
                write_rows(next_obs, rows, each(lambda x: x[places], self.obs), rows=True)
            return next_obs
        places = self.places[last, games]

        def chosen(here: Tensor, finals: Tensor) -> Tensor:
            return torch.where(cut.view(-1, *[1] * (here.dim() - 1)), finals[places], here)

        if isinstance(next_obs, dict):
            return {name: chosen(tensor, self.obs[name]) for name, tensor in next_obs.items()}
        return chosen(next_obs, self.obs)


def write_rows(target: Any, index: Tensor, value: Any, rows: bool = False) -> None:
    """target[index] = value, for a tensor or each in a dictionary; `value` is one row, or with `rows` as many as `index`."""
    if isinstance(target, dict):
        for name, tensor in target.items():
            tensor.index_copy_(0, index, value[name] if rows else value[name].unsqueeze(0))
    else:
        target.index_copy_(0, index, value if rows else value.unsqueeze(0))
