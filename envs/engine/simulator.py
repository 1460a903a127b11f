"""Many games of one kind, stepped together in place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..arguments import describe, one_of, seed_of, whole
from ..errors import NotReset, OptionError
from ..game import Game
from ..registry import find_game
from ..rng import start_streams
from . import kernel
from .backends import choose_backend
from .game_html import game_html
from .layout import Layout
from .options import Options
from .rendering import paint_pictures, view_players
from .saved_states import STATE, Unverified, check_layout, check_values, is_sealed, seal
from .threads import Turns

AUTORESET = {"disabled": kernel.DISABLED, "same_step": kernel.SAME_STEP, "next_step": kernel.NEXT_STEP}
# What the last step left.
RESULTS = ("final_obs", "final_legal", "reward", "terminated", "truncated", "episode_return", "episode_length")
MOST_GAMES = 2**31 - 1
MOST_PIXELS = 8192  # of a picture's longer side
# attributes that `_build` makes anew
BUILT = {"_turns", "_layout", "_unverified", "_backend", "device", "obs", "legal", "tensors", *RESULTS}


class Simulator:
    """`num_envs` independent games that take one step per call, on CPU cores or on a GPU.

    After `reset` and after each `step`, these arrays hold the result, N games along the first axis. The simulator owns
    them and overwrites them in the next step; copy what you keep.

        obs             (N, rows, columns, channels) uint8, or (N, features) float32
        reward          (N,) float32
        terminated      (N,) bool      the rules ended the episode
        truncated       (N,) bool      `max_episode_steps` ended it
        final_obs       like obs       under same-step autoreset, the last observation of episodes that just ended;
                                       other rows are left as they were
        episode_return  (N,) float32   sum of rewards of the episode that just ended; other rows are left as they were
        episode_length  (N,) int32     its steps
        legal           (N, actions) bool  the actions that are allowed next, or None in games where all are
        final_legal     like legal     with `final_obs`, those that were allowed there

    In a game for P players, `reward` and `episode_return` are (N, P). Where they take turns, `obs` and `legal` are those of
    the one whose turn it is, `player` (N,). Where they act together, actions are (N, P) and `obs` is (N, P, ...); `active`
    (N, P) tells who still plays, and what others do is ignored.

    On the CPU they are NumPy arrays, and `tensors` has the same memory as torch tensors; on a GPU, both are tensors.

    Threads that share a simulator take turns: each call waits for the one under way. What they read is overwritten by
    whoever steps next, so give each thread a simulator of its own, or a part of one (`split`).

    Copies and pickles go on where the simulator is, on memory and threads of their own, and keep what else was set on it.
    As with any pickle, load only your own.

    Args:
        game: a name such as "Breakout", or a `Game`.
        num_envs: how many games, 1 or more.
        device: "cpu", "cuda" or "cuda:1".
        seed: of all random numbers; None takes a new one from the operating system.
        autoreset: what follows the end of an episode: "same_step" (the next one starts at once), "next_step" (the next
            call to `step` resets and ignores the action) or "disabled" (the caller resets).
        num_threads: CPU threads; None chooses by the amount of work.
        mode: "compiled" (a game that is not Ludus's own is first played with checks, once, see `checked_play`), "checked"
            (compiled, and an index outside its array, a division by zero or a result that is not finite is an error),
            "python" (the rules as they are, slowly, for a debugger) or "debug" (python, with every write, reward and
            observation checked).
        **options: see `ludus.envs.Options`.

    Raises:
        UnknownGame, OptionError: a name or an argument is wrong; the message says what would be right.
        GameError: the game's rules are.
    """

    def __init__(
        self,
        game: str | Game,
        num_envs: int = 1,
        *,
        device: str = "cpu",
        seed: int | None = None,
        autoreset: str = "same_step",
        num_threads: int | None = None,
        mode: str = "compiled",
        **options: Any,
    ) -> None:
        self.game = find_game(game)
        self.num_envs = whole("num_envs", num_envs, 1, MOST_GAMES)
        self.autoreset = one_of("autoreset", autoreset, tuple(AUTORESET))
        self.options = Options.of(self.game, options, type(self))
        self._ready = False
        self._layout = layout = self._lay_out()
        self.actions, self.num_players, self.num_seats = layout.actions, layout.num_players, layout.num_seats
        self.obs_shape, self.obs_dtype, self.obs_low, self.obs_high = layout.observation
        self._chosen = str(device), mode, num_threads
        try:
            self._build()
            self.seed(seed)
        except MemoryError as error:
            size = self.num_envs * (self.game.State.itemsize + 2 * self.num_seats * layout.obs_bytes)
            raise OptionError(
                f"num_envs={self.num_envs} take {size / 1e9:.1f} GB or more, which are not there: use fewer"
            ) from error

    def _lay_out(self) -> Layout:
        return Layout(self.game, self.options, self.num_envs, AUTORESET[self.autoreset])

    def _build(self) -> None:
        """Make the backend, which plays the games, and its buffers."""
        self._turns, self._unverified = Turns(), Unverified(np.zeros(self.num_envs, np.bool_))
        self._backend = choose_backend(self._layout, self._unverified, Simulator, *self._chosen)
        self.device = self._backend.device
        self._show_arrays()

    def _show_arrays(self) -> None:
        """The backend's buffers as attributes."""
        arrays, n = self._backend.arrays, self.num_envs
        per_seat = (n,) if self.num_seats == 1 else (n, self.num_seats)
        per_player = (n,) if self.num_players == 1 else (n, self.num_players)
        self.obs, self.final_obs = (arrays[name].reshape(*per_seat, *self.obs_shape) for name in ("obs", "final_obs"))
        self.reward, self.episode_return = (arrays[name].reshape(per_player) for name in ("reward", "episode_return"))
        self.terminated, self.truncated = arrays["terminated"], arrays["truncated"]
        self.episode_length = arrays["episode_length"]
        self.legal, self.final_legal = (arrays[name] if self.game.legal else None for name in ("legal", "final_legal"))

    @property
    def player(self) -> Any:
        """Whose turn it is, (N,) uint8, in games where players take turns; the record's own memory."""
        return self._field("player") if self.game.turns else None

    @property
    def active(self) -> Any:
        """Who still plays, (N, P) uint8 of 0 and 1, in games that players may leave; the record's own memory."""
        return self._field("active")[:, : self.num_players] if self.game.may_leave else None

    def _field(self, name: str) -> Any:
        """A field of all records, of one byte each: a view of them, also on a GPU."""
        fields: Any = self.game.State.fields
        kind, offset = fields[name][:2]
        raw = self._backend.arrays["raw"][:, offset : offset + kind.itemsize]
        return raw if kind.shape else raw[:, 0]

    def seed(self, seed: int | None = None) -> int:
        """Restart all random streams; takes effect with the next `reset`. Returns the seed used."""
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> np.uint64(1))
        self.seed_used = seed_of("seed", seed)
        self.seed_each(np.full(self.num_envs, self.seed_used, np.uint64), np.arange(self.num_envs, dtype=np.uint64))
        return self.seed_used

    def seed_each(self, seeds: np.ndarray, indices: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Restart the streams of single games: game k as if it were number `indices[k]` under `seeds[k]`; uint64 each."""
        chosen = slice(None) if mask is None else mask
        with self._turns:
            streams = self._backend.read("streams")
            streams[chosen] = np.stack(start_streams(seeds, indices), axis=1)[chosen]
            self._backend.write("streams", streams)

    def reset(self, mask: np.ndarray | None = None) -> Any:
        """Start new episodes, in all games or where `mask` (N,) bool is true; returns `obs`."""
        mask = np.ones(self.num_envs, np.bool_) if mask is None else np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise OptionError(f"mask must be bool of shape ({self.num_envs},), got {describe(mask)}")
        if not self._ready and not np.all(mask):
            raise NotReset("the first reset must be of all games: call reset() without a mask")
        with self._turns:
            self._backend.reset(np.ascontiguousarray(mask, np.bool_))
            self._ready = True
        return self.obs

    def step(self, actions: Any) -> int:
        """Take one step in every game; `actions`, (N,) or (N, P), are whole numbers below `len(self.actions)`.

        Returns how many episodes ended in this step (on a GPU: -1, since counting would wait for it).
        """
        if not self._ready:
            raise NotReset("step before reset: call reset() first")
        turns = self._turns  # `with turns`, written out: here it would cost a twentieth of a step
        free = turns.free
        try:  # before the turn is taken, so that an interrupt right after gives it back
            try:
                free.pop()
            except IndexError:
                free = []  # nothing to give back, should waiting fail
                turns.wait()
                free = turns.free
            return self._backend.step(actions)
        finally:
            free.append(None)
            if turns.wanted:
                turns.let_in()

    def split(self, count: int) -> list[Simulator]:
        """Views of the games as `count` simulators of neighbouring games, on the same memory, for as many threads.

        Only for compiled games on the CPU; elsewhere, and for a count of 1, the simulator itself is the only part. Step
        either the parts or the whole: a part does not wait for the whole's turn.
        """
        if whole("count", count, 1, self.num_envs) == 1 or not hasattr(self._backend, "part"):
            return [self]
        edges = [self.num_envs * k // count for k in range(count + 1)]
        parts = []
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            part = object.__new__(Simulator)
            part.__dict__ = {name: value for name, value in self.__dict__.items() if name != "tensors"}
            part._turns, part._unverified = Turns(), self._unverified.part(first, last)
            part.num_envs, part._backend = last - first, self._backend.part(part._unverified, first, last)
            part._layout = part._backend.layout
            part._show_arrays()
            parts.append(part)
        return parts

    def check(self) -> None:
        """Raise what went wrong on a GPU since the last check; on the CPU, `step` raises at once."""
        with self._turns:
            self._backend.check()

    def frame(self, index: int = 0, size: int = 480, player: int = kernel.SPECTATOR) -> np.ndarray:
        """A picture of one game, as a player or a spectator sees it: (rows, columns, 3) uint8, the longer side `size`."""
        index, size = whole("index", index, 0, self.num_envs - 1), whole("size", size, 1, MOST_PIXELS)
        player = whole("player", player, kernel.SPECTATOR, self.num_players - 1)
        width, height = self.game.canvas
        rows, columns = round(size * height / max(width, height)), round(size * width / max(width, height))
        pictures = np.zeros((1, rows, columns * 3), np.uint8)
        with self._turns:
            record = self._backend.read("records")[index : index + 1]
            paint_pictures(self.game, record, pictures, player, self._unverified.whole.some)
        return pictures.reshape(rows, columns, 3)

    def view(self, player: int, index: int = 0) -> np.ndarray:
        """What a player of one game sees, like a row of `obs`, whoever's turn it is."""
        player, index = whole("player", player, 0, self.num_players - 1), whole("index", index, 0, self.num_envs - 1)
        view = np.zeros((1, *self.obs_shape), self.obs_dtype)
        with self._turns:
            records, backdrop = self._backend.read("records")[index : index + 1], self._backend.read("backdrop")
            view_players(self._layout, records, backdrop, player, view, self._unverified.whole.some)
        return view[0]

    @cached_property
    def tensors(self) -> SimpleNamespace:
        """The arrays above as torch tensors, sharing memory."""
        import torch

        shown = {name: getattr(self, name) for name in ("obs", "legal", *RESULTS)}
        return SimpleNamespace(
            **{name: None if array is None else torch.as_tensor(array) for name, array in shown.items()}
        )

    @property
    def records(self) -> np.ndarray:
        """The games' records, (N,) of dtype `game.State`; on the CPU the memory itself, on a GPU a copy."""
        return self._backend.read("records")

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of a trajectory depends on, as NumPy arrays, and a seal that says who made it."""
        state, seal_it = self.snapshot()
        return {**state, "seal": seal_it()}

    def snapshot(self) -> tuple[dict[str, Any], Callable[[], bytes]]:
        """The arrays of `state_dict`, and a function that makes their seal, which takes as long as a copy."""
        with self._turns:
            state = {"game": self.game.id, **{name: _copied(self._backend.read(name)) for name in STATE}}
            known = not self._unverified.whole.some
        return state, lambda: seal(self.game, self.num_players, state) if known else b""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken, on any device.

        A state may come from anywhere. One that this user's Ludus did not make, or that was changed, is played more slowly,
        with every index checked, until its episodes have ended; on a GPU, which cannot check, new episodes begin.

        Raises:
            OptionError: it is of another game, of other options, or no state that a game can be in; nothing has changed.
        """
        check_layout(self._layout, self._backend.read, state)
        known = is_sealed(self.game, self.num_players, state)
        if not known:
            check_values(self._layout, state)
        with self._turns:
            if known or self._backend.checks:
                for name in STATE:
                    self._backend.write(name, state[name])
                self._unverified.put(not known)
            else:
                warnings.warn(
                    "this state was made elsewhere, which a GPU cannot check: new episodes begin", stacklevel=2
                )
                self._backend.write("streams", state["streams"])
                self._backend.reset(np.ones(self.num_envs, np.bool_))
            self._ready = True

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles are made of: what was chosen and set, and what the buffers hold."""
        with self._turns:
            kept = {name: value for name, value in self.__dict__.items() if name not in BUILT}
            buffers = {name: _copied(self._backend.read(name)) for name in (*STATE, *RESULTS)}
            return {**kept, "buffers": buffers, "unverified": self._unverified.games.copy()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        buffers, unverified = state.pop("buffers"), state.pop("unverified")
        self.__dict__.update(state)
        self._layout = self._lay_out()
        self._build()
        check_layout(self._layout, self._backend.read, {"game": self.game.id, **buffers})
        for name, value in buffers.items():
            self._backend.write(name, value)
        self._unverified.put(unverified)

    def _repr_html_(self) -> str | None:
        """How notebooks show it."""
        return game_html(self, "a simulator")

    def close(self) -> None:
        """Let go of threads; the simulator can still be read."""
        with self._turns:
            self._backend.close()


def _copied(array: np.ndarray) -> np.ndarray:
    """A copy to the last byte: NumPy's own leaves the gaps between a record's fields as they happen to be."""
    return np.frombuffer(bytearray(array.tobytes()), array.dtype).reshape(array.shape)
