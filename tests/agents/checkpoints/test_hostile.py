"""Files from strangers: each is refused with one line or does no harm; nothing in them is executed."""

import hashlib
import json
import os
import pickle
import re
import resource
import shutil
import subprocess
import sys
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

import ludus
from ludus.agents import load_agent
from ludus.agents.checkpoints.reader import digest_of
from ludus.agents.files.safe_io import CheckpointError
from ludus.agents.ppo.ppo import PPO


def catch_agent(seed=0, **options):
    agent = PPO(
        "mlp", ludus.make_sb3("Catch", 8, seed=seed, **options), n_steps=8, batch_size=32, seed=seed, num_threads=1
    )
    return agent.learn(128)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent") / "run"
    catch_agent().save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


def numbers_of(folder, part="weights"):
    return next(folder.glob(f"{part}-*.safetensors"))


def change(folder, **facts):
    """Edit the description as somebody who means harm would, digest and all; `a__b=1` is for {"a": {"b": 1}}."""
    path = folder / "agent.json"
    description = json.loads(path.read_text())
    for name, value in facts.items():
        place = description
        *outer, last = name.split("__")
        for key in outer:
            place = place[key]
        place[last] = value
    description["sha256"] = digest_of(description)
    path.write_text(json.dumps(description))


def rewrite(folder, content, part="weights"):
    """Other content in a file of numbers, with its digest made to fit."""
    path = numbers_of(folder, part)
    path.write_bytes(content)
    change(folder, **{f"{part}__sha256": hashlib.sha256(path.read_bytes()).hexdigest()})


def edit(folder, action, part="weights"):
    """Tensors changed, with the digest made to fit."""
    tensors = load_file(numbers_of(folder, part))
    action(tensors)
    save_file(tensors, folder / "new")
    rewrite(folder, (folder / "new").read_bytes(), part)


def truncate(folder):
    path = numbers_of(folder)
    path.write_bytes(path.read_bytes()[:100])


def flip_a_bit(folder, name="weights-*"):
    path = next(folder.glob(name))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


class Danger:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def zip_bomb(folder):
    with zipfile.ZipFile(folder / "bomb", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("weights", bytes(10**8))
    rewrite(folder, (folder / "bomb").read_bytes())


def huge_header(folder):
    rewrite(folder, (2**62).to_bytes(8, "little") + b"{}")


def lying_header(folder):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}).encode()
    rewrite(folder, len(header).to_bytes(8, "little") + header)


def sparse_giant(folder):
    with open(numbers_of(folder), "r+b") as file:
        file.truncate(10**11)


def as_link(folder, name):
    path = next(folder.glob(name))
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def as_pipe(folder, name):
    path = next(folder.glob(name))
    path.unlink()
    os.mkfifo(path)


def text(content):
    return lambda folder: (folder / "agent.json").write_text(content)


def twice(folder):
    path = folder / "agent.json"
    path.write_text('{"format": 2, ' + path.read_text().lstrip()[1:])


def changed(**facts):
    return lambda folder: change(folder, **facts)


def without(name):
    def remove(folder):
        facts = json.loads((folder / "agent.json").read_text())
        del facts[name]
        (folder / "agent.json").write_text(json.dumps(facts))
        change(folder)

    return remove


def network(**kwargs):
    return changed(policy_kwargs=kwargs)


MEGA = 10**9
FILES = {
    "truncated weights": (truncate, "SHA-256"),
    "a flipped bit in the weights": (flip_a_bit, "SHA-256"),
    "a flipped bit in the description": (lambda f: flip_a_bit(f, "agent.json"), "SHA-256|not JSON"),
    "an edit in the description": (lambda f: (f / "agent.json").write_text(
        (f / "agent.json").read_text().replace('"gamma": 0.99', '"gamma": 0.98')), "damaged or was edited"),
    "NaN weights": (lambda f: edit(f, lambda t: t["value_net.weight"].fill_(float("nan"))), "not finite"),
    "infinite weights": (lambda f: edit(f, lambda t: t["value_net.bias"].fill_(float("inf"))), "not finite"),
    "weights of another shape": (
        lambda f: edit(f, lambda t: t.update({"value_net.weight": torch.zeros(1, 7)})), "of another network"),
    "weights of another type": (
        lambda f: edit(f, lambda t: t.update({"value_net.bias": torch.zeros(1, dtype=torch.int32)})), "of another network"),
    "weights that miss a tensor": (lambda f: edit(f, lambda t: t.pop("value_net.bias")), "of another network"),
    "weights with a tensor more": (
        lambda f: edit(f, lambda t: t.update(more=torch.zeros(1))), "of another network"),
    "a pickle as description": (lambda f: (f / "agent.json").write_bytes(pickle.dumps(Danger())), "not JSON"),
    "a pickle as weights": (lambda f: rewrite(f, pickle.dumps(Danger())), "not a safetensors file"),
    "a torch file as weights": (lambda f: (torch.save(Danger(), f / "x"), rewrite(f, (f / "x").read_bytes())), "not a safet"),
    "a zip bomb as weights": (zip_bomb, "not a safetensors file"),
    "a header of 4 exabytes": (huge_header, "not a safetensors file"),
    "a header that lies": (lying_header, "not a safetensors file"),
    "a sparse file of 100 GB": (sparse_giant, "far too long"),
    "empty weights": (lambda f: rewrite(f, b""), "not a safetensors file"),
    "no weights": (lambda f: numbers_of(f).unlink(), "cannot be read"),
    "no description": (lambda f: (f / "agent.json").unlink(), "has no agent.json"),
    "weights that are a link": (lambda f: as_link(f, "weights-*"), "is a link"),
    "a description that is a link": (lambda f: as_link(f, "agent.json"), "is a link"),
    "weights that are a pipe": (lambda f: as_pipe(f, "weights-*"), "not an ordinary file"),
    "weights that are a folder": (lambda f: (numbers_of(f).unlink(), next(iter([f / json.loads(
        (f / "agent.json").read_text())["weights"]["file"]])).mkdir()), "cannot be read|not an ordinary file"),
}  # fmt: skip
DESCRIPTIONS = {
    "a truncated description": (text('{"format": 2,'), "not JSON"),
    "an empty description": (text(""), "not JSON"),
    "a foreign JSON": (text("[1, 2]"), "not a JSON object"),
    "no format": (text("{}"), "no format number"),
    "a huge description": (text(" " * 2_000_000), "far too long"),
    "a name twice": (twice, "a name is there twice"),
    "deep nesting": (text("[" * 100_000 + "]" * 100_000), "not JSON"),
    "nesting in objects": (text('{"a":' * 100_000 + "1" + "}" * 100_000), "not JSON"),
    "a huge number": (text('{"format": ' + "9" * 100_000 + "}"), "not JSON"),
    "a huge key": (text(json.dumps({"x" * 900_000: 1})), "no format number"),
    "NaN": (text('{"format": NaN}'), "not JSON"),
    "the first format": (changed(format=1), "format 1, this Ludus reads 2: train the agent again"),
    "a future format": (changed(format=99), "update Ludus"),
    "a format of lines": (changed(format="a\nb" * 1000), "update Ludus"),
    "another algorithm": (changed(algorithm="sac"), "algorithm 'sac'"),
    "a missing fact": (changed(settings={}), "settings lacks"),
    "an unknown fact": (changed(settings__use_magic=True), "settings has 'use_magic'"),
    "a path as weights": (changed(weights__file="../../secret.safetensors"), "as its weights file"),
    "an absolute path as weights": (changed(weights__file="/etc/passwd"), "as its weights file"),
    "training as weights": (
        changed(weights__file="training-0123456789abcdef.safetensors"), "as its weights file"),
    "a list as weights": (changed(weights=[1]), "as its weights file"),
    "no settings": (without("settings"), "settings is missing"),
    "no algorithm's schedules": (changed(schedules={}), "schedules lacks 'learning_rate'|schedules lacks 'clip"),
    "a number as schedules": (changed(schedules=1.5), "schedules must be an object, got 1.5"),
    "a number as settings": (changed(settings=1), "settings must be an object"),
    "a number as options": (changed(environment__options=3), "options must be an object"),
    "a number as progress": (changed(progress=3), "progress must be an object"),
    "a number as rows": (changed(progress__rows=3), "rows must be an object"),
    "a number as seal": (changed(progress__seal=3), "seal must be hexadecimal digits, got 3"),
    "no policy": (without("policy"), "policy is missing"),
    "no device": (without("device"), "device is missing"),
    "no timesteps": (without("timesteps"), "timesteps is missing"),
    "an unknown policy": (changed(policy="os.system"), "policy must be one of"),
    "an import as environment": (changed(environment={"gymnasium": "os:system"}), "neither a Ludus game"),
    "an unknown Gymnasium id": (changed(environment={"gymnasium": "Nothing-v0"}), "not registered here"),
    "an unknown game": (changed(environment={"game": "Sudoku", "version": 1}),
        "^the agent in .*run plays 'Sudoku', a game that is not registered here: import the package .* --import PACKAGE"),
    "a number as game": (changed(environment={"game": 7, "version": 1}), "plays 7, a game that is not registered"),
    "a list as environment": (changed(environment=[1]), "environment must be an object"),
    "a game of another version": (changed(environment={"game": "Catch", "version": 9}), "version 9"),
    "other actions and planes": (changed(environment={"game": "Breakout", "version": 1}), "of another network"),
    "an unknown option": (changed(environment__options={"mode": "python"}), "unexpected keyword argument 'mode'"),
    "a window as option": (changed(environment__options={"render_mode": "human"}), "unexpected keyword argument"),
    "a negative frame_stack": (changed(environment__options={"frame_stack": -1}), "frame_stack must be"),
    "a frame_stack of a million": (changed(environment__options={"frame_stack": 10**6}), "frame_stack must be"),
    "huge pictures": (
        changed(environment__options={"obs_type": "rgb", "size": 4096, "frame_stack": 64}), "more than .* bytes each"),
    "endless levels": (changed(environment__options={"levels": {"range": [0, 2**60, 1]}}), "levels are more"),
    "levels without a length": (
        changed(environment__options={"levels": {"range": [-(2**62), 2**62, 1]}}), "levels are more"),
    "levels out of range": (changed(environment__options={"levels": [2**70]}), "levels must be"),
    "an argument that is a file": (
        changed(environment={"gymnasium": "CartPole-v1", "arguments": {"xml_file": "/etc/passwd"}}), "may be a file's name"),
    "a huge shape as argument": (
        changed(environment={"gymnasium": "CartPole-v1", "arguments": {"size": [MEGA, MEGA]}}), "too large"),
    "an unknown argument of an environment": (
        changed(environment={"gymnasium": "CartPole-v1", "arguments": {"evil": 1}}), "does not describe an agent"),
    "a wrapper by its path": (changed(environment={"gymnasium": "CartPole-v1", "wrappers": [
        {"name": "os:system", "arguments": {}}]}), "name must be one of"),
    "a list as arguments": (changed(environment={"gymnasium": "CartPole-v1", "arguments": [1]}), "must be an object"),
    "an unknown space": (changed(spaces__observation={"text": 7}), "kind must be one of"),
    "a space of exabytes": (
        changed(spaces__action={"box": {"low": 0, "high": 1, "shape": [2**20, 2**20], "dtype": "uint8"}}), "more than"),
    "a space of objects": (
        changed(spaces__action={"box": {"low": 0, "high": 1, "shape": [1], "dtype": "object"}}), "dtype must be one of"),
    "other spaces than the game's": (
        changed(spaces__action={"discrete": {"n": 7, "start": 0}}), "of another network or game"),
    "a log of many lines": (changed(settings__tensorboard_log="a\nb"), "tensorboard_log must be one line"),
    "what was not kept": (changed(settings__n_steps={"not_kept": "x" * 9999}), "could not keep n_steps"),
    "n_steps of 1e18": (changed(settings__n_steps=10**18), "n_steps must be a whole number from 1"),
    "n_steps as a float": (changed(settings__n_steps=8.0), "n_steps must be a whole number"),
    "n_steps as a bool": (changed(settings__n_steps=True), "n_steps must be a whole number"),
    "no batch": (changed(settings__batch_size=0), "batch_size must be a whole number from 1"),
    "gamma of 2": (changed(settings__gamma=2), "gamma must be a number from 0 to 1"),
    "a negative norm": (changed(settings__max_grad_norm=-1), "max_grad_norm must be"),
    "a rate as text": (changed(schedules__learning_rate="1e-3"), "learning_rate must be"),
    "an infinite rate": (changed(schedules__learning_rate=1e300), "learning_rate must be"),
    "a schedule that ends at 0": (
        changed(schedules__learning_rate={"start": 1, "end": 0, "end_fraction": 0}), "end_fraction must be"),
    "a schedule with code": (changed(schedules__learning_rate={"code": "print(1)"}), "learning_rate has 'code'|lacks"),
    "a thousand million threads": (changed(settings__num_threads=MEGA), "num_threads must be"),
    "another precision": (changed(settings__precision="fp8"), "precision must be one of"),
    "negative steps": (changed(timesteps=-1), "timesteps must be"),
    "a layer of a thousand million": (
        network(features_extractor_kwargs={"sizes": [MEGA]}), "sizes must be a whole number from 1"),
    "a layer of 65536 squared": (
        network(features_extractor_kwargs={"sizes": [65_536, 65_536, 65_536]}), "of another network"),
    "a thousand layers": (network(features_extractor_kwargs={"sizes": [1] * 1000}), "list of at most 32"),
    "layers in layers": (network(net_arch=[[[1]]]), "net_arch must be a whole number"),
    "a layer of no width": (network(net_arch=[0]), "net_arch must be a whole number from 1"),
    "no layer": (network(features_extractor_kwargs={"sizes": []}), "does not describe an agent"),
    "a class by its path": (network(features_extractor_class="os.system"), "features_extractor_class must be one of"),
    "an activation by its path": (network(activation_fn="torch.nn.ReLU"), "activation_fn must be one of"),
    "an optimiser by its path": (network(optimizer_class="torch.optim.SGD"), "optimizer_class must be one of"),
    "a memory of a thousand million": (network(memory="lstm", memory_size=MEGA), "memory_size must be a whole number"),
    "a memory of 65536": (network(memory="lstm", memory_size=65_536), "of another network"),
    "an argument that the network does not take": (
        network(features_extractor_kwargs={"channels": 3}), "does not describe an agent"),
}  # fmt: skip
TRAINING = {
    "truncated": (lambda f: numbers_of(f, "training").write_bytes(b"short"), "too short for 8 games"),
    "a flipped bit": (lambda f: flip_a_bit(f, "training-*"), "SHA-256"),
    "of another agent": (lambda f: other_training(f), "of another network or game"),
    "no file": (lambda f: numbers_of(f, "training").unlink(), "cannot be read"),
    "a link": (lambda f: as_link(f, "training-*"), "is a link"),
    "NaN averages": (
        lambda f: edit(f, lambda t: t["0.exp_avg"].fill_(float("nan")), "optimizer"), "not finite"),
    "a generator of zeros": (
        lambda f: edit(f, lambda t: t["generators.0"].zero_(), "training"), "no generator's state"),
    "fewer games": (
        lambda f: edit(f, lambda t: t.update({"games.records": t["games.records"][:4].clone()}), "training"),
        "of another network or game"),
    "more episodes": (
        lambda f: edit(f, lambda t: t.update(episodes=torch.zeros(10**6, 3, dtype=torch.float64)), "training"),
        "far too long"),
    "many games and a short file": (changed(num_envs=5_000_000), "too short for 5000000 games"),
    "other threads": (changed(play_threads=2), "of another network or game"),
    "a thousand million threads": (changed(play_threads=MEGA), "play_threads must be"),
    "another device": (changed(device="tpu"), "device must be one of"),
    "a missing number": (changed(progress={}), "progress lacks"),
}  # fmt: skip


def other_training(folder):
    catch_agent(frame_stack=2).save(folder / "other")
    rewrite(folder, numbers_of(folder / "other", "training").read_bytes(), "training")


@pytest.mark.parametrize("damage", [*FILES, *DESCRIPTIONS])
def test_a_broken_agent_is_one_clear_line(folder, damage):
    break_it, message = {**FILES, **DESCRIPTIONS}[damage]
    break_it(folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


@pytest.mark.parametrize("damage", TRAINING)
def test_a_broken_training_is_one_clear_line_and_does_not_hinder_playing(folder, damage):
    break_it, message = TRAINING[damage]
    break_it(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    if "must be" not in message and "lacks" not in message:
        assert load_agent(folder, device="cpu").num_timesteps == 128


RESUME = """
import sys
from ludus.agents import load_agent

load_agent(sys.argv[1], device="cpu", resume=True).learn(256, reset_num_timesteps=False)
"""


@pytest.mark.parametrize(("number", "possible"), [(120, False), (0, True)])
def test_impossible_games_cannot_do_harm(folder, number, possible):
    """Rows of a board that is not there, which the rules would write to."""
    sim = ludus.envs.Simulator("Catch", 8)

    def move_the_ball(tensors):
        records = tensors["games.records"].numpy().reshape(-1).view(sim.game.State)
        records["ball_row"] = number

    edit(folder, move_the_ball, "training")
    command = [sys.executable, "-X", "faulthandler", "-c", RESUME, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert result.returncode == (0 if possible else 1), result.stderr[-1000:]
    message = (
        "GameError: Catch: a rule raised an index outside its array, or another exception: the state that was loaded"
    )
    assert (message in result.stderr) is not possible


def test_ones_own_games_are_known_again_and_others_play_the_same(folder):
    own = load_agent(folder, device="cpu", resume=True)
    change(folder, progress__seal="")
    others = load_agent(folder, device="cpu", resume=True)
    assert (own.simulator._doubt.whole.some, others.simulator._doubt.whole.some) == (False, True)
    for agent in (own, others):
        agent.learn(256, reset_num_timesteps=False)
    assert all(map(torch.equal, own.policy.parameters(), others.policy.parameters()))
    assert not others.simulator._doubt.whole.some


def remembering(name, value):
    """Another number at the start of a memory's tensor."""
    return lambda tensors: tensors[f"replay.{name}"].view(-1)[:1].fill_(value)


MEMORIES = {
    "an action that there is not": (remembering("actions", 3), "the memory's actions must be from 0 to 2"),
    "an action below the first": (remembering("actions", -1), "the memory's actions must be from 0 to 2"),
    "a row beyond the last": (remembering("row", 100), "the memory's row must be from 0 to 99"),
    "more rows than there are": (remembering("count", 101), "the memory's count must be from 0 to 100"),
    "a place outside": (remembering("finals.places", 10**9), "the memory's finals.places must be from 0 to"),
    "more owed than a minibatch": (lambda t: t["numbers"][:1].fill_(1e300), "no training owes 1e+300"),
    "a debt that is no number": (lambda t: t["numbers"][:1].fill_(float("nan")), "not finite"),
}


@pytest.fixture(scope="module")
def saved_dqn(tmp_path_factory):
    env = ludus.make_sb3("Catch", 8, seed=0, max_episode_steps=6)
    settings = {"buffer_size": 800, "learning_starts": 64, "replay_ratio": 0.5, "prioritized": True}
    agent = ludus.DQN("mlp", env, seed=0, num_threads=1, train_freq=4, **settings).learn(640)
    folder = tmp_path_factory.mktemp("agent") / "run"
    agent.save(folder)
    return folder


@pytest.mark.parametrize("damage", MEMORIES)
def test_a_broken_memory_is_one_clear_line_and_does_not_hinder_playing(saved_dqn, tmp_path, damage):
    action, message = MEMORIES[damage]
    folder = shutil.copytree(saved_dqn, tmp_path / "run")
    edit(folder, action, "training")
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    assert load_agent(folder, device="cpu").num_timesteps == 640


def test_a_name_of_many_lines_is_one_line(folder):
    change(folder, environment={"gymnasium": "a\n" * 1000})
    with pytest.raises(CheckpointError) as caught:
        load_agent(folder)
    assert "\n" not in str(caught.value)


AUDIT = """
import sys
from ludus.agents import load_agent
from ludus.agents.files.safe_io import CheckpointError
good, *strange = sys.argv[1:]
for resume in (False, True):
    load_agent(good, device="cpu", resume=resume)
watched = ("import", "exec", "compile", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess", "socket",
           "pickle", "marshal", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "shutil")
seen = []

def hook(event, arguments):
    if event == "open" and (isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
        seen.append((event, arguments[:2]))
    if event.startswith(watched) and listening:
        seen.append((event, arguments[:1]))

listening = True
sys.addaudithook(hook)
for folder in strange:
    for resume in (False, True):
        try:
            load_agent(folder, device="cpu", resume=resume)
            print("loaded", end=" ")
        except CheckpointError:
            print("refused", end=" ")
listening = False
print(seen)
"""


ENDLESS = {
    "an endless episode": ("training", lambda t: t["episodes"].fill_(1e300), "episodes has numbers beyond 1e"),
    "an endless return": ("training", lambda t: t["episodes"][:, 0].fill_(-1e300), "episodes has numbers beyond 1e"),
    "steps before the first": ("optimizer", lambda t: t["0.step"].fill_(-5), "0.step is -5, expected 0 to"),
    "endless steps": ("optimizer", lambda t: t["0.step"].fill_(-1e38), "0.step is -1e"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_numbers_that_training_cannot_go_on_from(folder, name):
    part, action, message = ENDLESS[name]
    edit(folder, action, part)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu", resume=True)
    assert "\n" not in str(caught.value)


LARGEST = {f"progress__{name}": 2**62 for name in ("total_timesteps", "updates", "episodes")}


def test_training_goes_on_from_the_largest_numbers(folder, capsys):
    edit(folder, lambda tensors: tensors["episodes"].fill_(1e38), "training")
    change(folder, timesteps=2**62, progress__seconds=1e12, settings__verbose=1, **LARGEST)
    agent = load_agent(folder, device="cpu", resume=True)
    agent.learn(128, reset_num_timesteps=False, log_interval=1, progress_bar=True)
    assert agent.num_timesteps > 2**62 and "ep_len_mean" in capsys.readouterr().out


def test_loading_executes_nothing(saved, tmp_path):
    """Python's audit hooks hear of no import, no code, no process, no socket, and no file opened to be written."""
    damages = ["a pickle as weights", "a torch file as weights", "a class by its path", "an import as environment"]
    folders = [tmp_path / str(k) for k in range(1 + len(damages))]
    for folder, damage in zip(folders, ["none", *damages], strict=True):
        shutil.copytree(saved, folder)
        {**FILES, **DESCRIPTIONS, "none": (lambda f: None, "")}[damage][0](folder)
    result = subprocess.run([sys.executable, "-c", AUDIT, saved, *folders], capture_output=True, text=True)
    assert result.stdout.strip() == "loaded " * 2 + "refused " * 2 * len(damages) + "[]", result.stderr
