"""The cache of compiled kernels notices every edit, and a later process needs no compiler."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from ludus.envs import Game, GameError, Simulator, state
from ludus.envs.engine import compile_cpu, kernel, numba_pipeline, placeholders
from ludus.envs.engine.compile import fingerprint, link, replacements
from ludus.envs.rng import below

SPEED = 1
SPRITE = np.arange(4)
State = state(x="i1")


def reset(s, random):
    s.x = below(random, 5)


def advance(x):
    return x + SPEED


def step(s, action, random):
    s.x = advance(s.x)
    return 1.0, s.x > 20


def observe(s, planes):
    planes[0, 0, 0] = SPRITE[1]


def draw(s, canvas):
    pass


def make(**changes):
    parts = {"reset": reset, "step": step, "observe": observe, "draw": draw, **changes}
    return Game("Walk", 1, State, **parts, shape=(2, 2), planes=("here",), actions=("go",))


def key(game=None):
    return fingerprint(kernel.play_games, replacements(game or make()))


def test_fingerprint_is_stable():
    assert key() == key()


def test_fingerprint_notices_a_rule():
    def step(s, action, random):
        s.x = advance(s.x)
        return 2.0, s.x > 20

    assert key(make(step=step)) != key()


def test_fingerprint_notices_a_helper(monkeypatch):
    before = key()
    monkeypatch.setitem(globals(), "advance", lambda x: x + SPEED + 1)
    assert key() != before


@pytest.mark.parametrize(("name", "value"), [("SPEED", 2), ("SPEED", 1.0), ("SPRITE", np.arange(1, 5))])
def test_fingerprint_notices_a_constant(monkeypatch, name, value):
    before = key()
    monkeypatch.setitem(globals(), name, value)
    assert key() != before


def test_fingerprint_notices_the_engine(monkeypatch):
    before = key()
    monkeypatch.setattr(placeholders, "choose_action", lambda action, clock, random, setting: 0)
    assert key() != before


def test_fingerprint_notices_a_closure():
    def with_limit(limit):
        def step(s, action, random):
            return 1.0, s.x > limit

        return make(step=step)

    assert key(with_limit(3)) != key(with_limit(4))


def test_fingerprint_looks_into_a_compiled_helper(monkeypatch):
    before = key()
    monkeypatch.setitem(globals(), "advance", njit(advance))
    assert key() == before


def run(code: str, cache: Path) -> str:
    environment = {**os.environ, "LUDUS_CACHE_DIR": str(cache)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.strip()


PLAY = """
import sys, numpy as np
from ludus.envs import Simulator
sim = Simulator("Catch", 4, seed=0)
sim.reset()
for _ in range(30):
    sim.step(np.ones(4, np.int64))
print(sim.obs.tobytes().hex(), "numba" in sys.modules)
"""


def test_a_later_process_loads_the_same_code_without_numba(tmp_path):
    first, second = run(PLAY, tmp_path).split(), run(PLAY, tmp_path).split()
    assert first[1] == "True" and second[1] == "False"
    assert first[0] == second[0]


def test_a_damaged_cache_is_compiled_again(tmp_path):
    first = run(PLAY, tmp_path).split()
    files = list(tmp_path.glob("*.o"))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:-50] + b"x" * 50)
    again = run(PLAY, tmp_path).split()
    assert again == [first[0], "True"]


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert run(PLAY, blocked).split()[1] == "True"


def play_catch(**options) -> bytes:
    sim = Simulator("Catch", 4, seed=0, **options)
    sim.reset()
    for _ in range(30):
        sim.step(np.ones(4, np.int64))
    return sim.records.tobytes()


def test_another_numba_only_costs_time(monkeypatch, tmp_path):
    def translate(*arguments):
        raise AttributeError("no such thing in this Numba")

    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compile_cpu, "_engines", {})
    monkeypatch.setattr(numba_pipeline, "translate", translate)
    assert play_catch() == play_catch(mode="python")


def test_this_numba_takes_the_short_way(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compile_cpu, "_engines", {})
    monkeypatch.setattr(compile_cpu, "_translate_slowly", None)
    monkeypatch.setattr(numba_pipeline.RuleContext, "know_all", None)
    play_catch()


def test_recursion_is_refused():
    def step(s, action, random):
        return again(s, action, random)

    def again(s, action, random):
        return again(s, action, random)

    with pytest.raises(GameError, match="calls itself"):
        link(step, {})


def test_rules_may_need_more_of_numba(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))

    def second(values, place):
        return values[place]

    @njit
    def double(x):
        return 2 * x

    def step(s, action, random):
        def inner(x):
            return x + 1

        return second((1, 2.5), 1) + double(inner(action)) + np.sum(SPRITE), False

    for mode in ("compiled", "python"):
        sim = Simulator(make(step=step), 1, mode=mode)
        sim.reset()
        sim.step(np.zeros(1, np.int64))
        assert sim.reward[0] == 10.5
    assert njit(lambda values: np.sort(values).sum())(np.arange(4)) == 6, "Numba itself works as before"


def test_parameters_by_name_alone_are_refused():
    def step(s, action, random, *, gain=2.0):
        return gain, False

    with pytest.raises(GameError, match="step has parameters by name alone; rules cannot"):
        link(step, {})


TYPED = {  # rules as at Python's prompt, without source, so that only the compiler can find what is wrong
    "step(s, action, random):\n    s.x = np.zeros(3)[action]": r"^Walk: its rules do not compile",
    "step(s, action, random):\n    s.speed = 2": r"^Walk: its rules use 'speed', which the record does not have$",
    "observe(s, planes):\n    planes.reshape((4,))[s.x % 4] = 1": r"^Walk: its rules need Numba's",
}


@pytest.mark.parametrize("source", TYPED)
def test_what_only_the_compiler_finds_is_one_line(source, monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))
    rule, scope = source.split("(")[0], {"__name__": __name__, "np": np}
    exec(f"def {source}\n    return 0.0, False", scope)
    with pytest.raises(GameError, match=TYPED[source]) as caught:
        Simulator(make(**{rule: scope[rule]}), 1)
    assert "\n" not in str(caught.value)


def test_what_numba_says_comes_with_file_and_line(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))

    def step(s, action, random):
        s.x = 2 if action.real_ else 3
        return 0.0, False

    with pytest.raises(GameError, match=r"^Walk: test_compile.py, line \d+: Numba cannot compile s.x = 2 if") as caught:
        Simulator(make(step=step), 1)
    assert "\n" not in str(caught.value)


def test_the_line_is_the_games_where_a_toolbox_is_called_wrongly(monkeypatch, tmp_path):
    monkeypatch.setenv("LUDUS_CACHE_DIR", str(tmp_path))

    def step(s, action, random):
        two = (s.x, 2)
        return float(below(random, two)), False

    with pytest.raises(GameError, match=r"^Walk: test_compile.py, line \d+: Numba cannot compile return float\(below"):
        Simulator(make(step=step), 1)


SQUARES = (np.arange(24, dtype=np.int64) ** 2).reshape(8, 3)[:, 1]  # a view: 1, 16, 49, ...


def step_by_table(s, action, random):
    return float(SQUARES[s.x]), False


def test_a_constant_may_be_a_view_of_another_array():
    names = replacements(make(step=step_by_table))
    assert link(step_by_table, names).__globals__["SQUARES"].flags.c_contiguous
    sim = Simulator(make(step=step_by_table), 1)
    sim.reset()
    sim.records["x"] = 3
    sim.step(np.zeros(1, np.int64))
    assert sim.reward[0] == 100.0


def weigh(x, weights, out, first, last):
    for i in range(first, last):
        for k in range(x.shape[1]):
            for j in range(np.uint64(64)):
                out[i, j] += x[i, k] * weights[k, j]
    return 0


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="vectors of another kind of processor")
@pytest.mark.parametrize(("loose", "longest"), [(True, "zmm"), (False, "ymm")])
def test_loops_of_networks_use_whole_vectors_where_llvm_would_halve_them(loose, longest):
    buffers = [compile_cpu.Buffer(np.dtype(np.float32), shape) for shape in ((8,), (64,), (64,))]
    ir = compile_cpu.numba_ir("loop", weigh, {}, buffers, False)
    machine = compile_cpu._Machine()
    machine.name, machine.features = "sapphirerapids", "+avx512f,+avx512vl,+avx512dq,+avx512bw,+fma"
    module, target = machine.optimized(ir, loose)
    used = set(re.findall(r"%([xyz]mm)", target.emit_assembly(module)))
    assert max(used) == longest


def total_of_rows(x, out, first, last):
    for i in range(first, last):
        out[i] = 0.0
        for j in range(x.shape[1]):
            out[i] += x[i, j]
    return 0


def test_rows_may_have_gaps_between_them():
    """Whose size is compiled in: other gaps are another kernel."""
    for gap in (0, 3, 16):
        whole = np.arange(5.0 * (7 + gap)).reshape(5, 7 + gap)
        x, out = whole[:, :7], np.zeros(5)
        buffers = [compile_cpu.Buffer(x.dtype, (7,), row=7 + gap), compile_cpu.Buffer.of(out)]
        table = compile_cpu.Table((x, out), buffers)
        compile_cpu.compile_cpu("loop", total_of_rows, {}, buffers)(table.address, 0, 5)
        assert np.array_equal(out, x.sum(1))
