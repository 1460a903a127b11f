"""Games of `ludus.envs.adapters.web` in wasmtime, a WebAssembly runtime; laid out in memory as a page does it."""

import ctypes

import numpy as np
import wasmtime

from ludus.envs.engine.wasm_module import ALIGNMENT
from ludus.envs.rng import start_streams

STACK, PAGE = 1 << 16, 1 << 16  # bytes


class WasmGame:
    """A `WebGame` with its buffers as attributes, which are views of the module's memory.

    Args:
        game: a `WebGame`.
        rows, columns: of its picture.
    """

    def __init__(self, game, rows=48, columns=48):
        self.facts, self._free = game.facts, game.facts["free"] + STACK
        buffers = {**game.facts["buffers"]}
        kind, size, count = buffers["picture"]
        buffers["picture"] = [kind, size * rows * columns, count]
        room = sum(size + ALIGNMENT for _, size, _ in buffers.values()) + self._free + (1 << 16)
        engine = wasmtime.Engine()
        store, module = wasmtime.Store(engine), wasmtime.Module(engine, game.code)
        memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(room // PAGE + 1, None)))
        stack = wasmtime.GlobalType(wasmtime.ValType.i32(), True)
        given = {
            "__linear_memory": memory,
            "__stack_pointer": wasmtime.Global(store, stack, wasmtime.Val.i32(self._free)),
        }
        instance = wasmtime.Instance(store, module, [given[one.name] for one in module.imports])
        whole = (ctypes.c_ubyte * memory.data_len(store)).from_address(
            ctypes.addressof(memory.data_ptr(store).contents)
        )
        self._kept = store, memory, whole
        self._bytes = np.frombuffer(whole, np.uint8)
        places = {}
        for name, (kind, size, _) in buffers.items():
            places[name] = places["records"] if name == "raw" else self._room(size)
            there = self._bytes[places[name] : places[name] + size]
            setattr(self, name, there if kind == "record" else there.view(kind))
        self.viewers[:], self.count[:] = -1, len(self.facts["actions"])
        self.settings[:] = self.facts["settings"]
        self._command = self.settings[self.facts["command"] :][:8].view(np.int64)
        self._loops = {}
        for loop, names in self.facts["loops"].items():
            words = []
            for name in names:
                words += [places[name], buffers[name][2], *([rows, 3 * columns] if name == "picture" else [])]
            table = self._room(8 * len(words))
            self._bytes[table : table + 8 * len(words)].view(np.int64)[:] = words
            self._loops[loop] = store, instance.exports(store)[loop], table

    def _room(self, size):
        at = self._free
        self._free = -(-(at + size) // ALIGNMENT) * ALIGNMENT
        return at

    @property
    def num_envs(self):
        return len(self.mask)

    def call(self, loop):
        """Run a loop over all games; returns its answer."""
        store, function, table = self._loops[loop]
        return function(store, table, 0, self.num_envs)

    def seed(self, seed):
        """As `Simulator(..., seed=seed)`."""
        games = np.arange(self.num_envs, dtype=np.uint64)
        with np.errstate(over="ignore"):
            self.streams.reshape(-1, 2)[:] = np.stack(start_streams(np.full_like(games, seed), games), 1)

    def reset(self, mask=True):
        """Begin new episodes in games (N,)."""
        self.mask[:], self._command[:] = mask, 1
        self.call("play")
        self._command[:] = 0
