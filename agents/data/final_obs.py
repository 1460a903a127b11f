"""Final observations of truncated episodes, which a replay buffer needs to bootstrap from and does not have in its rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..nn.actor_critic import each
from ..runtime.hardware import on_gpu


class FinalObservations:
    """Final observations of the truncated episodes in a replay buffer's T rows of N games.

    Where an episode was truncated, the next row holds the first observation of another episode, and the value of the final
    one is still to be discounted. Where a game's limit of steps is known, so is the room they need, and nothing waits for a
    GPU. Else the room grows with them.

    Args:
        obs: (N, *shape), or a dictionary of such.
        truncated: (T, N) bool, the buffer's own.
        limit: steps after which episodes are truncated; None if it is not known.
    """

    def __init__(self, obs: Any, truncated: Tensor, limit: int | None) -> None:
        self.truncated, device = truncated, truncated.device
        self.steps, games = truncated.shape
        self.counted = not on_gpu(device) or limit is None
        self.room = games * (1 if self.counted or limit is None else self.steps // limit + 2)
        self.places = torch.zeros_like(truncated, dtype=torch.int64)
        self.used = torch.zeros(1, dtype=torch.int64, device=device)
        self.counts = torch.zeros(self.steps, dtype=torch.int64, device=device)  # of each row, where counted
        self.obs = obs
        self.resize(self.room)

    def resize(self, room: int) -> None:
        """Empty room for so many, and a row more, to which a graph writes what is not to be stored."""
        self.room = room
        self.obs = each(lambda x: torch.zeros((room + 1, *x.shape[1:]), dtype=x.dtype, device=x.device), self.obs)

    def store(self, row: Tensor, truncated: Tensor, final_obs: Any) -> None:
        """Those of games (N,) bool that were truncated in a row of the buffer; the oldest are overwritten."""
        if self.counted:
            games = truncated.nonzero().squeeze(-1)
            self.counts[row] = self.truncated[row].sum()
            if len(games):
                if int(self.counts.sum()) > self.room:
                    self._grow(row, games)
                places = (self.used + torch.arange(len(games), device=games.device)) % self.room
                self.places[row, games] = places
                write_rows(self.obs, places, each(lambda x: x[games], final_obs), rows=True)
                self.used += len(games)
            return
        places = torch.where(truncated, (self.used + truncated.long().cumsum(0) - 1) % self.room, self.room)
        self.places.index_copy_(0, row, places.unsqueeze(0))
        write_rows(self.obs, places, final_obs, rows=True)
        self.used += truncated.sum()

    def store_none(self, row: Tensor) -> None:
        """No episode was truncated in this row; on a CPU."""
        self.counts.numpy()[int(row)] = 0

    def _grow(self, row: Tensor, coming: Tensor) -> None:
        """To twice the room for these games of a row and all that are still needed."""
        others = self.truncated.clone()
        others[row, coming] = False
        rows, games = others.nonzero(as_tuple=True)
        oldest_first = ((rows - row - 1) % self.steps).sort(stable=True).indices
        rows, games = rows[oldest_first], games[oldest_first]
        stored = each(lambda x: x[self.places[rows, games]], self.obs)
        self.resize(2 * int(self.counts.sum()))
        places = torch.arange(len(rows), device=rows.device)
        write_rows(self.obs, places, stored, rows=True)
        self.places[rows, games] = places
        self.used.fill_(len(rows))

    def replace(self, next_obs: Any, last: Tensor, games: Tensor) -> Any:
        """Observations (B, *shape), with final ones where the steps (last, games) were truncated; on a CPU in place."""
        truncated = self.truncated[last, games]
        if not on_gpu(truncated.device):
            rows = truncated.nonzero().squeeze(-1)
            if len(rows):
                places = self.places[last[rows], games[rows]]
                write_rows(next_obs, rows, each(lambda x: x[places], self.obs), rows=True)
            return next_obs
        places = self.places[last, games]

        def chosen(here: Tensor, final: Tensor) -> Tensor:
            return torch.where(truncated.view(-1, *[1] * (here.dim() - 1)), final[places], here)

        return each(chosen, next_obs, self.obs)


def write_rows(target: Any, index: Tensor, value: Any, rows: bool = False) -> None:
    """target[index] = value, for a tensor or each in a dictionary; `value` is one row, or with `rows` as many as `index`."""
    each(lambda x, written: x.index_copy_(0, index, written if rows else written.unsqueeze(0)), target, value)
