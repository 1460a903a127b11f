"""What users, machines and strangers do to a program, counted: nothing may crash, hang, or fail without saying why.

    python benchmarks/abuse.py [--only threads,records,...] [--trials 20] [--write]

Each trial is a process of its own with a cache, a home and a folder of its own. It fails if a signal ended it, if it did
not end in time, if it shows a traceback, or if it did not do what its kind asks for:

    threads    four threads make a game at once in a fresh process, and step one simulator at once: all finish
    records    a simulator's state of random or changed bytes is loaded and played: refused in a line, or played on
    files      agents that are endless devices, pipes, links; kernels in folders of others: refused, or compiled anew
    homes      no HOME, a user without a name, an empty XDG_CACHE_HOME: games run, and nothing lies in the working folder
    readers    output that goes nowhere, a full device, a lost terminal: training ends as it should, with its agent saved
    names      control characters in an agent's files, odd folder names, two trainings in one folder: shown harmless, told
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from report import Table, describe, machine, write_results
from rich.console import Console

from ludus.envs import all_games

PACKAGES = ("ludus", "numpy", "numba", "torch")
PATIENCE = 240  # seconds that a trial may take on a busy machine
LINE = "ludus: "  # how the command line begins to say what was wrong
TRAIN = ["train", "Catch", "--algo", "ppo", "--device", "cpu", "--no-tensorboard", "--num-envs", "8", "--n-steps", "8",
         "--batch-size", "32"]  # fmt: skip
SHORT = ["--total-timesteps", "2000"]
HOW = """{machine} Made by `python benchmarks/abuse.py --trials {trials} --write`. A trial is a process that does something
that users, machines or strangers do; it is held if it ended in time, by itself, without a traceback, and did what its kind
asks for (see the script)."""


@dataclass
class Place:
    """A trial's own folder, with what its process finds around it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, arguments: list[str], **more: object) -> Outcome:
        """Run Python with these arguments to its end."""
        return self.start(arguments, **more).end()

    def start(self, arguments: list[str], **more: object) -> Running:
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **more}
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return Running(subprocess.Popen([sys.executable, *arguments], cwd=work, env=self.environment, **given))  # type: ignore[call-overload]

    def ludus(self, *arguments: str, **more: object) -> Outcome:
        return self.run(["-m", "ludus", *arguments], **more)


@dataclass
class Running:
    process: subprocess.Popen[str]

    def end(self) -> Outcome:
        try:
            text, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return Outcome(None, self.process.communicate()[0] or "")
        return Outcome(self.process.returncode, text or "")


@dataclass
class Outcome:
    """How a process ended: its status, None if it had to be killed, and what it said."""

    status: int | None
    text: str

    def fault(self) -> str:
        """What no program may do; empty if it did not."""
        if self.status is None:
            return "did not end"
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}"
        return "a traceback" if "Traceback (most recent call last)" in self.text else ""

    def held(self, must: bool = True) -> str:
        return self.fault() or ("" if must else "not as asked")


Trial = Callable[[Place, random.Random], str]  # what went wrong; empty if it held

# -- the kinds ---------------------------------------------------------------------------------------------------------

FIRST_USE = """
import threading
from ludus.envs import Simulator
gate, done = threading.Barrier(4), []
def work():
    gate.wait()
    done.append(Simulator({game!r}, 4096).reset().shape)
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(done) == 4
"""
SHARED = """
import threading, numpy as np
from ludus.envs import Simulator, LudusError
sim, ended = Simulator({game!r}, 512, seed=0), []
sim.reset()
shape = sim.reward.shape if sim.num_seats > 1 else (512,)
def work(k):
    random = np.random.default_rng(k)
    for _ in range(300):
        try:
            if sim.legal is None or sim.num_players == 1:
                sim.step(random.integers(0, len(sim.actions), shape))
            else:
                sim.step(sim.legal.argmax(1))
        except LudusError:
            pass
    ended.append(k)
threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(ended) == 4
"""
PLAY_ON = """
import numpy as np
from ludus.envs import Bot, LudusError, Simulator
random = np.random.default_rng({seed})
refused = played = 0
for trial in range({count}):
    sim = Simulator({game!r}, 4, seed=0)
    sim.reset()
    bot = Bot(sim, "random", 0)
    for _ in range(int(random.integers(0, 20))):
        sim.step(bot.act())
    state = sim.state_dict()
    raw = np.frombuffer(state["records"].tobytes(), np.uint8).copy()
    if trial % 2:
        raw[:] = random.integers(0, 256, len(raw))
    else:
        raw[random.integers(0, len(raw), 3)] = random.integers(0, 256, 3)
    state["records"] = raw.view(state["records"].dtype)
    try:
        sim.load_state_dict(state)
        for _ in range(100):
            sim.step(bot.act())
            sim.frame(0, size=64)
        played += 1
    except LudusError as error:
        assert "\\n" not in str(error)
        refused += 1
assert refused + played == {count}
print(refused, played)
"""


def threads() -> Iterator[tuple[str, Trial]]:
    """Games of each kind of observation and of several players."""
    for game in ("Breakout", "CartPole", "Go", "Wilds"):
        yield (
            f"{game}, first use",
            lambda place, _, game=game: place.run(["-c", FIRST_USE.format(game=game)]).held(True),
        )
    for game in ("Go", "Breakout", "Snake", "Bomber", "Wilds"):
        yield f"{game}, shared", lambda place, _, game=game: place.run(["-c", SHARED.format(game=game)]).held(True)


def records() -> Iterator[tuple[str, Trial]]:
    def trial(place: Place, chance: random.Random, game: str) -> str:
        code = PLAY_ON.format(game=game, seed=chance.randrange(2**31), count=20)
        outcome = place.run(["-c", code])
        return outcome.held(outcome.status == 0)

    for game in all_games():
        yield game, lambda place, chance, game=game: trial(place, chance, game)


def files() -> Iterator[tuple[str, Trial]]:
    def agent_is(make: Callable[[Path], None], *verb: str) -> Trial:
        def trial(place: Place, _: random.Random) -> str:
            agent = place.folder / "agent"
            agent.mkdir()
            make(agent)
            outcome = place.ludus(*[word.replace("AGENT", str(agent)) for word in verb])
            return outcome.held(outcome.status not in (0, None) and LINE in outcome.text)

        return trial

    ways: dict[str, Callable[[Path], None]] = {
        "an endless device": lambda agent: (agent / "agent.json").symlink_to("/dev/zero"),
        "a pipe": lambda agent: os.mkfifo(agent / "agent.json"),
        "a folder": lambda agent: (agent / "agent.json").mkdir(),
        "a link to itself": lambda agent: (agent / "agent.json").symlink_to(agent / "agent.json"),
    }
    verbs = {
        "export": ["export", "AGENT", "--out", "out.zip"],
        "evaluate": ["evaluate", "AGENT"],
        "resume": [*TRAIN, "--out", "AGENT", "--resume"],
    }
    for name, make in ways.items():
        for verb, arguments in verbs.items():
            yield f"{verb}: agent.json is {name}", agent_is(make, *arguments)
        for verb in ("export", "evaluate"):
            yield f"{verb}: the agent is {name}", named(verb, name)
    yield from kernels()


def named(verb: str, what: str) -> Trial:
    def trial(place: Place, _: random.Random) -> str:
        agent = place.folder / "agent.zip"
        if what == "an endless device":
            agent.symlink_to("/dev/zero")
        elif what == "a pipe":
            os.mkfifo(agent)
        elif what == "a folder":
            agent.mkdir()
        else:
            agent.symlink_to(agent)
        outcome = place.ludus(verb, str(agent), *(["--out", "out.zip"] if verb == "export" else []))
        return outcome.held(outcome.status not in (0, None) and LINE in outcome.text)

    return trial


def kernels() -> Iterator[tuple[str, Trial]]:
    """What a cache folder may hold when a game is made."""
    step = "import ludus; e = ludus.make_vec({game!r}, 4); e.reset(); "
    step += "print([e.step([1] * 4)[0].tobytes() for _ in range(20)])"

    def trial(place: Place, spoil: Callable[[Path], None]) -> str:
        cache = Path(place.environment["LUDUS_CACHE_DIR"])
        first = place.run(["-W", "ignore", "-c", step.format(game="Breakout")])
        place.run(["-W", "ignore", "-c", step.format(game="Catch")])
        spoil(cache)
        again = place.run(["-W", "ignore", "-c", step.format(game="Breakout")])
        return again.held(first.status == again.status == 0 and first.text == again.text)

    def others(cache: Path) -> None:
        for path in cache.glob("*"):
            os.chown(path, 12345, 12345)

    def swapped(cache: Path) -> None:
        (breakout,) = cache.glob("Breakout-play*")
        (catch,) = cache.glob("Catch-play*")
        breakout.write_bytes(catch.read_bytes())

    def pipe(cache: Path) -> None:
        for path in cache.glob("Breakout-*"):
            path.unlink()
            os.mkfifo(path)

    def garbled(cache: Path) -> None:
        for path in cache.glob("Breakout-*"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)

    spoilers = {"of another user": others, "of another game": swapped, "a pipe": pipe, "garbled": garbled,
                "in a folder that all may write": lambda cache: cache.chmod(0o777)}  # fmt: skip
    for name, spoil in spoilers.items():
        yield f"a kernel {name}", lambda place, _, spoil=spoil: trial(place, spoil)


def homes() -> Iterator[tuple[str, Trial]]:
    step = ["-c", "import ludus; e = ludus.make('Catch'); e.reset(); print(e.step(1)[1])"]

    def trial(place: Place, user: int | None = None, **changes: str | None) -> str:
        for name, value in {"LUDUS_CACHE_DIR": None, "XDG_CACHE_HOME": None, **changes}.items():
            place.environment.pop(name, None)
            if value is not None:
                place.environment[name] = value
        place.folder.chmod(0o755)
        outcome = place.run(step, user=user)
        return outcome.held(outcome.status == 0 and not any((place.folder / "work").iterdir()))

    yield "no HOME", lambda place, _: trial(place, HOME=None)
    yield "a HOME that is not there", lambda place, _: trial(place, HOME="/nowhere/at/all")
    yield "an empty XDG_CACHE_HOME", lambda place, _: trial(place, XDG_CACHE_HOME="")
    yield "a relative XDG_CACHE_HOME", lambda place, _: trial(place, XDG_CACHE_HOME="cache")
    python = Path(sys.executable).resolve()
    if hasattr(os, "geteuid") and os.geteuid() == 0 and all(part.stat().st_mode & 0o001 for part in python.parents):
        yield "a user without a name or HOME", lambda place, _: trial(place, user=54321, HOME=None)


def readers() -> Iterator[tuple[str, Trial]]:
    def saved(place: Place, outcome: Outcome) -> str:
        return outcome.held((place.folder / "run" / "agent.json").exists())

    def train(place: Place) -> list[str]:
        return ["-m", "ludus", *TRAIN, "--out", str(place.folder / "run")]

    def closed_pipe(place: Place, _: random.Random) -> str:
        running = place.start([*train(place), *SHORT])
        assert running.process.stdout is not None
        running.process.stdout.readline()
        running.process.stdout.close()
        status = running.process.wait(PATIENCE)
        return saved(place, Outcome(status, ""))

    def full_device(place: Place, _: random.Random) -> str:
        with open("/dev/full", "w") as full:
            return saved(place, place.run([*train(place), *SHORT], stdout=full, stderr=full))

    def hang_up(place: Place, chance: random.Random, number: signal.Signals) -> str:
        running = place.start([*train(place), "--total-timesteps", "1000000000"])
        deadline = time.monotonic() + PATIENCE
        while not (place.folder / "run" / "train.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(chance.uniform(1, 4))
        running.process.send_signal(number)
        return saved(place, running.end())

    def closed_help(place: Place, _: random.Random) -> str:
        running = place.start(["-m", "ludus", "train", "--help"], stderr=subprocess.PIPE)
        assert running.process.stdout is not None and running.process.stderr is not None
        running.process.stdout.close()
        errors = running.process.stderr.read()
        return Outcome(max(running.process.wait(PATIENCE), 0), errors).held("BrokenPipe" not in errors)

    yield "training, its reader gone", closed_pipe
    yield "training onto a full device", full_device
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        yield f"training, {number.name}", lambda place, chance, number=number: hang_up(place, chance, number)
    yield "--help, its reader gone", closed_help


def names() -> Iterator[tuple[str, Trial]]:
    def trained(place: Place, out: str) -> Outcome:
        return place.ludus(*TRAIN, *SHORT, f"--out={out}")

    def odd(place: Place, _: random.Random, name: str) -> str:
        outcome = trained(place, name)
        return outcome.held(outcome.status == 0 and (place.folder / "work" / name / "agent.json").exists())

    def escapes(place: Place, _: random.Random) -> str:
        trained(place, "run")
        path = place.folder / "work" / "run" / "agent.json"
        text = path.read_text()
        path.write_text(text.replace('"Catch"', '"Ca\\u001b[31mtch\\u0007"'))
        outcome = place.ludus("evaluate", "run", "--episodes", "2")
        return outcome.held("\x1b[31m" not in outcome.text and "\x07" not in outcome.text)

    def two(place: Place, _: random.Random) -> str:
        first = place.start(["-m", "ludus", *TRAIN, "--out", "run", "--total-timesteps", "1000000000"])
        deadline = time.monotonic() + PATIENCE
        while not (place.folder / "work" / "run" / "train.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        second = trained(place, "run")
        first.process.terminate()
        return first.end().fault() or second.held(second.status not in (0, None) and LINE in second.text)

    for name in ("run[red]1", "-dash", "two words", "ünï", "a'b"):
        yield f"training into {name!r}", lambda place, chance, name=name: odd(place, chance, name)
    yield "control characters in agent.json", escapes
    yield "two trainings in one folder", two


KINDS: dict[str, Callable[[], Iterator[tuple[str, Trial]]]] = {
    "threads": threads, "records": records, "files": files, "homes": homes, "readers": readers, "names": names,
}  # fmt: skip


# -- all of them -------------------------------------------------------------------------------------------------------


def surroundings(folder: Path) -> Place:
    """A new home and cache, and no display."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUDUS_", "XDG_"))}
    home = {"HOME": str(folder / "home"), "LUDUS_CACHE_DIR": str(folder / "cache"), "SDL_VIDEODRIVER": "dummy"}
    (folder / "home").mkdir()
    (folder / "cache").mkdir(mode=0o700)
    return Place(folder, {**kept, **home})


def measure(kinds: list[str], trials: int, say: Callable[[str], None]) -> dict[str, dict[str, object]]:
    """Of each kind: how many trials, how many held, and what went wrong in the others."""
    found: dict[str, dict[str, object]] = {}
    for kind in kinds:
        chance, wrong, count = random.Random(0), Counter[str](), 0
        ways = list(KINDS[kind]())
        for number in range(max(trials, len(ways))):
            name, trial = ways[number % len(ways)]
            with tempfile.TemporaryDirectory() as folder:
                what = trial(surroundings(Path(folder)), chance)
            count += 1
            if what:
                wrong[f"{name}: {what}"] += 1
                say(f"{kind}, {name}: {what}")
        found[kind] = {"ways": len(ways), "trials": count, "held": count - sum(wrong.values()), "wrong": dict(wrong)}
        say(f"{kind}: {found[kind]}")
    return found


def table(found: dict[str, dict[str, object]]) -> Table:
    lines = []
    for kind, facts in found.items():
        wrong = facts["wrong"]
        assert isinstance(wrong, dict)
        told = "; ".join(f"{what} ({times})" for what, times in wrong.items()) or "nothing"
        lines.append([kind, str(facts["ways"]), str(facts["trials"]), str(facts["held"]), told])
    return Table("Abuse", "Kinds of abuse, in how many ways, trials, and what did not hold.",
                 ["kind", "ways", "trials", "held", "what did not"], lines)  # fmt: skip


def main() -> None:
    """Try, show, and with --write keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, of " + ", ".join(KINDS))
    parser.add_argument("--trials", type=int, default=20, help="of each kind, at least one of each way")
    parser.add_argument("--write", action="store_true", help="keep the counts in RESULTS.md and results/abuse.json")
    arguments = parser.parse_args()
    console = Console()
    found = measure(arguments.only.split(","), arguments.trials, lambda line: console.print(line, markup=False))
    shown = table(found)
    console.print(shown.rich())
    if arguments.write:
        facts = machine(PACKAGES)
        how = HOW.format(machine=describe(facts), trials=arguments.trials)
        write_results("abuse", {"machine": facts, **found}, f"## Abuse\n\n{how}\n\n{shown.markdown()}")


if __name__ == "__main__":
    main()
