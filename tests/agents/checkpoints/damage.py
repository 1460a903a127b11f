"""Ways to damage a saved agent, as somebody who means harm would."""

import hashlib
import json
import os
import zipfile

import pytest
from safetensors.torch import load_file, save_file

from ludus.agents.checkpoints.reader import digest_of


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
