"""The trials of `abuse`: each kind yields its ways by name."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from abuse.place import PATIENCE, Outcome, Place, Trial

from ludus.envs import all_games

LINE = "ludus: "  # how the command line begins to say what was wrong
TRAIN = ["train", "Catch", "--algo", "ppo", "--device", "cpu", "--no-tensorboard", "--num-envs", "8", "--n-steps", "8",
         "--batch-size", "32"]  # fmt: skip
SHORT = ["--total-timesteps", "2000"]
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
    def trial(place: Place, rng: random.Random, game: str) -> str:
        code = PLAY_ON.format(game=game, seed=rng.randrange(2**31), count=20)
        outcome = place.run(["-c", code])
        return outcome.held(outcome.status == 0)

    for game in all_games():
        yield game, lambda place, rng, game=game: trial(place, rng, game)


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

    def hang_up(place: Place, rng: random.Random, number: signal.Signals) -> str:
        running = place.start([*train(place), "--total-timesteps", "1000000000"])
        deadline = time.monotonic() + PATIENCE
        while not (place.folder / "run" / "train.json").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(rng.uniform(1, 4))
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
        yield f"training, {number.name}", lambda place, rng, number=number: hang_up(place, rng, number)
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
        yield f"training into {name!r}", lambda place, rng, name=name: odd(place, rng, name)
    yield "control characters in agent.json", escapes
    yield "two trainings in one folder", two


KINDS: dict[str, Callable[[], Iterator[tuple[str, Trial]]]] = {
    "threads": threads, "records": records, "files": files, "homes": homes, "readers": readers, "names": names,
}  # fmt: skip
