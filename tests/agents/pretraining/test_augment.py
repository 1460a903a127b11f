"""Pictures changed at random: each switch does what it says, to pictures alone, and only while a method trains."""

import numpy as np
import pytest
import torch

from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.augment import Augmentation, augment, preview
from ludus.agents.pretraining.datasets import load_examples
from ludus.agents.pretraining.datasets.examples import Examples
from ludus.agents.pretraining.method import Pictures
from ludus.agents.pretraining.methods.classify import Classify, Inputs
from ludus.agents.pretraining.methods.planes import Planes
from ludus.agents.pretraining.trainer import Trainer
from ludus.envs import OptionError

SWITCHES = {
    "shift": 3,
    "crop": 0.5,
    "rotation": 30,
    "flip": True,
    "flip_vertical": True,
    "noise": 0.1,
    "color_jitter": 0.5,
}


@pytest.fixture
def pictures():
    """A ramp in each channel, (B, C, H, W), on which every change can be seen."""
    torch.manual_seed(0)
    ramp = torch.arange(20).reshape(1, 1, -1, 1) * 7 + torch.arange(24).reshape(1, 1, 1, -1) * 4
    return (ramp + torch.tensor([0, 10, 20]).reshape(1, 3, 1, 1)).to(torch.uint8).repeat(16, 1, 1, 1)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_changes_each_picture_anew(switch, pictures):
    changed = Augmentation(**{switch: SWITCHES[switch]})(pictures)
    assert changed.shape == pictures.shape and changed.dtype == torch.uint8
    assert len({x.numpy().tobytes() for x in changed}) > 1
    torch.manual_seed(0)
    first = Augmentation(**SWITCHES)(pictures)
    torch.manual_seed(0)
    assert torch.equal(Augmentation(**SWITCHES)(pictures), first)


def test_no_switch_changes_nothing(pictures):
    assert Augmentation()(pictures) is pictures


def test_flips_mirror(pictures):
    changed = Augmentation(flip=True)(pictures)
    mirrored = [torch.equal(x, pictures[0].flip(2)) for x in changed]
    same = [torch.equal(x, pictures[0]) for x in changed]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and 2 < sum(mirrored) < 14
    changed = Augmentation(flip_vertical=True)(pictures)
    assert {torch.equal(x, pictures[0].flip(1)) for x in changed} == {True, False}


@pytest.mark.parametrize("gpus", [("cuda",), ("cpu",)], ids=["cpu", "as on a GPU"])
def test_shifts_move_by_whole_pixels_and_repeat_the_border(pictures, gpus, monkeypatch):
    monkeypatch.setattr("ludus.agents.runtime.hardware.GPUS", gpus)
    padded = torch.nn.functional.pad(pictures[:1].float(), (3, 3, 3, 3), mode="replicate")[0].to(torch.uint8)
    moved = [padded[:, y : y + 20, x : x + 24] for y in range(7) for x in range(7)]
    for changed in Augmentation(shift=3)(pictures):
        assert any(torch.equal(changed, one) for one in moved)


def test_noise_is_as_strong_as_it_says():
    gray = torch.full((64, 1, 20, 20), 128, dtype=torch.uint8)
    noise = Augmentation(noise=0.1)(gray).float() / 255
    assert noise.std() == pytest.approx(0.1, rel=0.05) and noise.mean() == pytest.approx(128 / 255, abs=0.01)


def test_rotations_and_crops_stay_within_what_they_say(pictures):
    values = {*pictures.unique().tolist()}
    for augmentation in (Augmentation(rotation=10), Augmentation(crop=0.8)):
        changed = augmentation(pictures).float()
        assert min(values) <= changed.min() and changed.max() <= max(values)
        assert (changed - pictures.float()).abs().mean() < 20


def test_a_method_sees_changed_pictures_only_while_it_trains():
    examples = load_examples("digits")
    encoder = PictureEncoder(for_pictures("small", (8, 8, 1), None, width=16))
    method, rows = Classify(encoder, examples, Inputs(examples)), torch.arange(8)
    plain = method.pictures[rows]
    augment(method, Augmentation(shift=1))
    assert not torch.equal(method.train().pictures[rows], plain)
    assert torch.equal(method.eval().pictures[rows], plain)
    history = Trainer(method, epochs=0.2, looks=1).train()
    assert np.isfinite(history.loss).all()


def test_labels_at_places_forbid_what_moves():
    pictures = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3), np.uint8)
    cells = np.ones((100, 2, 2, 2), np.uint8)
    frames = Examples("cells", pictures, cells, ("a", "b"), np.arange(100, dtype=np.uint8) % 3).frames()
    method = Planes(PictureEncoder(for_pictures("grid", (16, 16, 3), (2, 2))), frames, Pictures(frames))
    with pytest.raises(OptionError, match="shift moves what planes are labels of"):
        augment(method, Augmentation(shift=1, noise=0.1))
    augment(method, Augmentation(noise=0.1))
    assert method.pictures[torch.arange(3)].shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"shift": -1}, "shift must be from 0 to 64, got -1"), ({"crop": 1.5}, "crop must be from 0 to 1, got 1.5")],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(OptionError, match=said):
        Augmentation(**options)


@pytest.mark.parametrize("channels", [1, 3, 4, 12])
def test_a_sheet_has_a_row_for_each_picture_and_a_column_for_each_switch(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, channels), np.uint8)
    augmentation = Augmentation(shift=2, flip=True)
    state = torch.get_rng_state()
    sheet = preview(pictures, augmentation, side=64)
    assert sheet.dtype == np.uint8 and sheet.shape == (26 + 2 * 72, 8 + 4 * 72, 3)
    column = sheet[26 : 26 + 64, 8 + 2 * 72 : 72 + 2 * 72][::4, ::4]  # of the flip
    last = pictures[..., -3:] if channels % 3 == 0 else pictures[..., -1:]
    shown = sheet[26 : 26 + 64, 8 : 8 + 64][::4, ::4]
    assert (shown == last[0]).all() and (column == last[0][:, ::-1]).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert (preview(pictures, augmentation, side=64) == sheet).all()
