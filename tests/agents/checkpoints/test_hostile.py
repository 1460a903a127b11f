"""Files from strangers: each is refused with one line or does no harm; nothing in them is executed."""

import json
import pickle
import resource
import shutil
import subprocess
import sys

import pytest
import torch

from ludus.agents import load_agent
from ludus.agents.files.safe_io import CheckpointError
from tests.agents.checkpoints.damage import (
    MEGA,
    Danger,
    as_link,
    as_pipe,
    change,
    changed,
    edit,
    flip_a_bit,
    huge_header,
    lying_header,
    network,
    numbers_of,
    rewrite,
    sparse_giant,
    text,
    truncate,
    twice,
    without,
    zip_bomb,
)

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
    "an optimizer by its path": (network(optimizer_class="torch.optim.SGD"), "optimizer_class must be one of"),
    "a memory of a thousand million": (network(memory="lstm", memory_size=MEGA), "memory_size must be a whole number"),
    "a memory of 65536": (network(memory="lstm", memory_size=65_536), "of another network"),
    "an argument that the network does not take": (
        network(features_extractor_kwargs={"channels": 3}), "does not describe an agent"),
}  # fmt: skip


@pytest.mark.parametrize("damage", [*FILES, *DESCRIPTIONS])
def test_a_broken_agent_is_one_clear_line(folder, damage):
    break_it, message = {**FILES, **DESCRIPTIONS}[damage]
    break_it(folder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=message) as caught:
        load_agent(folder, device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000  # KiB
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


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


def test_loading_executes_nothing(saved, tmp_path):
    """Python's audit hooks hear of no import, no code, no process, no socket, and no file opened to be written."""
    damages = ["a pickle as weights", "a torch file as weights", "a class by its path", "an import as environment"]
    folders = [tmp_path / str(k) for k in range(1 + len(damages))]
    for folder, damage in zip(folders, ["none", *damages], strict=True):
        shutil.copytree(saved, folder)
        {**FILES, **DESCRIPTIONS, "none": (lambda f: None, "")}[damage][0](folder)
    result = subprocess.run([sys.executable, "-c", AUDIT, saved, *folders], capture_output=True, text=True)
    assert result.stdout.strip() == "loaded " * 2 + "refused " * 2 * len(damages) + "[]", result.stderr
