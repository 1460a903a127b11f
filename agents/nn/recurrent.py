"""Recurrent cores between an encoder and the actor and critic.

A core's state is one tensor (N, state_size), a row per game. `step` is for rollouts, `sequence` for training on T steps at
once. Both compute the same; `sequence` zeroes the state where a new episode starts, and callers of `step` do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..runtime.hardware import on_gpu


class RecurrentCore(nn.Module):
    """Base class of recurrent cores.

    Attributes:
        state_size: S, floats of recurrent state per game.
        features_dim: H, width of the output.
    """

    def __init__(self, state_size: int, features_dim: int) -> None:
        super().__init__()
        self.state_size, self.features_dim = state_size, features_dim

    def initial_state(self, num_envs: int, device: torch.device | str) -> Tensor:
        """The recurrent state (num_envs, S) at the start of episodes: zeros."""
        return torch.zeros(num_envs, self.state_size, device=device)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: features (N, F) and state (N, S) give output (N, H) and the new state (N, S)."""
        raise NotImplementedError

    def sequence(self, x: Tensor, starts: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """T steps in order.

        Args:
            x: features (T, N, F).
            starts: (T, N) float, 1 where x[t] is the first of its episode: the state is zeroed before it is used there.
            state: (N, S), before the first step.

        Returns:
            Outputs (T, N, H), and the state (N, S) after the last step.
        """
        raise NotImplementedError


class LstmCore(RecurrentCore):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), one layer; its state is hidden and cell, side by side.

    Args:
        input_size: F, width of the features.
        hidden_size: H, width of the output; the state has 2H floats.
    """

    def __init__(self, input_size: int, hidden_size: int = 128) -> None:
        super().__init__(state_size=2 * hidden_size, features_dim=hidden_size)
        self.weight_ih = nn.Parameter(_orthogonal(4, hidden_size, input_size))  # gates: input, forget, output, cell
        self.weight_hh = nn.Parameter(_orthogonal(4, hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        with torch.no_grad():
            self.bias[hidden_size : 2 * hidden_size] = 1.0  # of forget gates, open at first (Jozefowicz et al. 2015)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, cell = state.chunk(2, -1)
        hidden, cell = self._cell(F.linear(x, self.weight_ih, self.bias), hidden, cell)
        return hidden, torch.cat([hidden, cell], -1)

    def sequence(self, x: Tensor, starts: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        projected = F.linear(x, self.weight_ih, self.bias)  # (T, N, F) -> (T, N, 4H): one matmul for all steps
        hidden, cell = state.chunk(2, -1)
        outputs = []
        for gates, keep in zip(projected.unbind(), (1.0 - starts).unsqueeze(-1).unbind(), strict=True):
            hidden, cell = self._cell(gates, hidden * keep, cell * keep)
            outputs.append(hidden)
        return torch.stack(outputs), torch.cat([hidden, cell], -1)

    def _cell(self, projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """The next hidden and cell (N, H), from the input's part of the gates (N, 4H), hidden and cell (N, H)."""
        gates = torch.addmm(projected, hidden, self.weight_hh.t()).to(cell.dtype)  # bf16 under autocast
        gates, candidate = gates.split([3 * self.features_dim, self.features_dim], -1)
        input_gate, forget_gate, output_gate = gates.sigmoid().chunk(3, -1)
        cell = forget_gate * cell + input_gate * candidate.tanh()
        return output_gate * cell.tanh(), cell


class MinGruCore(RecurrentCore):
    """minGRU (Feng et al. 2024, "Were RNNs all we needed?"): h_t = (1 - z_t) h_{t-1} + z_t c_t, linear in h.

    Gate z and candidate c depend on the input alone, so that no matmul waits for the step before. The state is the output.

    Args:
        input_size: F, width of the features.
        hidden_size: H, width of output and state.
    """

    def __init__(self, input_size: int, hidden_size: int = 128) -> None:
        super().__init__(state_size=hidden_size, features_dim=hidden_size)
        self.weight = nn.Parameter(_orthogonal(2, hidden_size, input_size))  # gate, candidate
        self.bias = nn.Parameter(torch.zeros(2 * hidden_size))
        with torch.no_grad():
            self.bias[:hidden_size] = -1.0  # keep most of the state at first, as an LSTM does with its forget bias of 1

    def _gate_and_candidate(self, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(..., F) -> twice (..., H), in the precision of the state also where autocast computes in bf16."""
        gate, candidate = F.linear(x, self.weight, self.bias).to(dtype).chunk(2, -1)
        return gate.sigmoid(), candidate

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        gate, candidate = self._gate_and_candidate(x, state.dtype)
        state = torch.lerp(state, candidate, gate)
        return state, state

    def sequence(self, x: Tensor, starts: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        gate, candidate = self._gate_and_candidate(x, state.dtype)
        decay = (1.0 - gate) * (1.0 - starts).unsqueeze(-1)
        out = linear_recurrence(decay, gate * candidate, state)
        return out, out[-1]


def linear_recurrence(decay: Tensor, enter: Tensor, state: Tensor) -> Tensor:
    """h_t = decay_t * h_{t-1} + enter_t for all t: (T, N, H), (T, N, H) and h_{-1} (N, H) give (T, N, H).

    The loop does the fewest operations, which counts on a CPU; doubling launches log2(T) kernels, which counts on a GPU.
    """
    return (_by_doubling if on_gpu(decay.device) else _by_loop)(decay, enter, state)


def _by_loop(decay: Tensor, enter: Tensor, state: Tensor) -> Tensor:
    states = []
    for decay_t, enter_t in zip(decay.unbind(), enter.unbind(), strict=True):
        state = torch.addcmul(enter_t, decay_t, state)
        states.append(state)
    return torch.stack(states)


def _by_doubling(decay: Tensor, enter: Tensor, state: Tensor) -> Tensor:
    """Parallel prefix sums (Hillis & Steele 1986): each pass doubles the number of steps that a row covers.

    Composing h -> a h + b with an earlier h -> a' h + b' gives h -> (a a') h + (a b' + b): stable, as 0 <= a <= 1.
    """
    enter = torch.cat([torch.addcmul(enter[:1], decay[:1], state), enter[1:]])  # h_0 is known
    reach = 1
    while reach < len(enter):
        enter = torch.cat([enter[:reach], torch.addcmul(enter[reach:], decay[reach:], enter[:-reach])])
        decay = torch.cat([decay[:reach], decay[reach:] * decay[:-reach]])
        reach *= 2
    return enter


def _orthogonal(blocks: int, rows: int, columns: int) -> Tensor:
    """`blocks` orthogonal matrices on top of each other, (blocks * rows, columns)."""
    return torch.cat([nn.init.orthogonal_(torch.empty(rows, columns)) for _ in range(blocks)])


CORES: dict[str, type[RecurrentCore]] = {"lstm": LstmCore, "mingru": MinGruCore}
