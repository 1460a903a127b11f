"""Every method learns what it says, and says in one line what it lacks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ludus.agents.nn.vision import PictureEncoder, for_pictures
from ludus.agents.pretraining.collect import Collector
from ludus.agents.pretraining.method import Pictures
from ludus.agents.pretraining.methods import METHODS, method_class
from ludus.agents.pretraining.methods.autoencoder import coarse, differs, palette, usual_picture, weights_of
from ludus.agents.pretraining.methods.latent import vicreg
from ludus.agents.pretraining.methods.pairs import PARTS
from ludus.agents.pretraining.methods.st_dim import info_nce
from ludus.agents.pretraining.trainer import Trainer
from ludus.envs import Bot, OptionError, Simulator

MINE = [name for name in METHODS if name not in ("planes", "classify")]


@pytest.fixture(scope="module")
def frames():
    sim = Simulator("Breakout", 32, seed=1, num_threads=1)
    collector = Collector(sim, Bot(sim, "heuristic", 1), size=36)
    collector.collect(40)
    collector.player = Bot(sim, "random", 2)
    collector.collect(40)
    return collector.frames()


def make(name, frames, **options):
    torch.manual_seed(0)
    pictures = Pictures(frames)
    encoder = PictureEncoder(for_pictures("nature", frames.pictures.shape[1:], frames.planes.shape[1:3], width=64))
    encoder.fit_statistics(pictures[torch.from_numpy(frames.rows("train"))])
    return method_class(name)(encoder, frames, pictures, **options)


@pytest.mark.parametrize("name", MINE)
def test_training_helps_on_pictures_that_were_not_trained_on(name, frames):
    method = make(name, frames)
    before = method.eval().figures("validation")
    weights = [parameter.clone() for parameter in method.encoder.parameters()]
    trainer = Trainer(method, batch_size=32, time_limit=None, epochs=60 * 32 / len(method.rows("train")), looks=3)
    history = trainer.train()
    assert history.validation_loss[-1] < history.validation_loss[0]
    after = method.eval().figures("validation")
    assert list(after) == list(before) and np.isfinite(list(after.values())).all()
    first = next(iter(after))
    assert after[first] > before[first]
    changed = [not torch.equal(a, b) for a, b in zip(weights, method.encoder.parameters(), strict=True)]
    assert all(changed)


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_reconstructions_come_nearer_to_pictures(name, frames):
    method = make(name, frames)
    pictures = method.pictures[method.rows("test")]

    def distance():
        with torch.no_grad():
            rebuilt = method.eval().reconstruct(pictures)
        assert rebuilt.shape == pictures.shape and rebuilt.min() >= 0 and rebuilt.max() <= 1
        return float((rebuilt - pictures / 255).square().mean())

    before = distance()
    Trainer(method, batch_size=32, time_limit=None, epochs=60 * 32 / len(method.rows("train")), looks=1).train()
    assert distance() < before  # which is that of the mean picture, for the VAE


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_help_and_says_whether_it_is_supervised(name):
    help_line = METHODS[name][1]
    assert help_line.endswith(".") and len(help_line) < 100
    assert method_class(name).supervised == help_line.startswith("Supervised: ")


def test_an_unknown_method_is_said():
    with pytest.raises(OptionError, match="there is no method 'magic': choose from planes, "):
        method_class("magic")


@pytest.mark.parametrize("name", ["st-dim", "latent"])
def test_frames_without_pairs_are_refused(name, frames):
    with pytest.raises(OptionError, match=r"Breakout.*learns from two frames in a row.*collect more"):
        make(name, replace(frames, done=np.ones_like(frames.done)))


def test_a_game_without_a_heuristic_is_refused_and_its_actions_are_taken(frames):
    silent = replace(frames, advice=np.full_like(frames.advice, -1))
    with pytest.raises(
        OptionError, match=r"Breakout.*learns from a heuristic's actions, and the game has no heuristic"
    ):
        make("cloning", silent)
    assert (make("cloning", silent, of="action").target.numpy() == frames.action.ravel()).all()
    with pytest.raises(OptionError, match="of must be 'advice' or 'action', got 'planes'"):
        make("cloning", frames, of="planes")


@pytest.mark.parametrize("name", ["st-dim", "latent"])
@pytest.mark.parametrize("part", PARTS)
def test_parts_are_added_to_the_loss_and_learn(name, part, frames):
    method, plain = make(name, frames, parts=(part,)), make(name, frames)
    rows = method.rows("train")[:32]
    added = method.loss(rows) - method.loss_of(*method.views(rows), rows)
    assert added > 0 and plain.loss(rows).item() == pytest.approx(plain.loss_of(*plain.views(rows), rows).item())
    optimizer = torch.optim.Adam(method.parameters(), 1e-3)
    for _ in range(20):
        loss = method.parts[part](*method.views(rows), rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < added / 2 and method.encoder.body[0].weight.grad.abs().sum() > 0


def test_unknown_parts_are_said(frames):
    with pytest.raises(OptionError, match="parts must be of inverse, reward, got magic"):
        make("st-dim", frames, parts=("magic",))


def test_pairs_are_steps_and_those_after_them(frames):
    method = make("st-dim", frames)
    rows = method.rows("train")
    t, n = np.unravel_index(rows.numpy(), frames.index.shape)
    assert not frames.done[t, n].any() and len(rows) > 100
    assert (method.picture[rows + frames.index.shape[1]].numpy() == frames.index[t + 1, n]).all()
    train = set(frames.rows("train").tolist())
    assert set(frames.index[t, n].tolist()) | set(frames.index[t + 1, n].tolist()) <= train


def test_info_nce_is_low_where_the_diagonal_is_highest():
    assert info_nce(torch.zeros(2, 8, 8)).item() == pytest.approx(np.log(8))
    assert info_nce(20 * torch.eye(8)) < 1e-5 < 10 < info_nce(-20 * torch.eye(8) + 20 * torch.eye(8).roll(1, 0))


def test_variance_and_covariance_terms_punish_collapse():
    torch.manual_seed(0)
    apart, same = 2 * torch.randn(4000, 6), torch.ones(4000, 6)
    twice = apart[:, :1].expand(-1, 6)
    assert vicreg(apart, apart) < 0.2
    assert vicreg(same, same).item() == pytest.approx(25 * 0.99, abs=1e-3)  # all features have no variance
    assert vicreg(twice, twice).item() == pytest.approx(5 * 4**2, rel=0.1)  # five others of each have covariance 4
    assert vicreg(apart + 1, apart) - vicreg(apart, apart) == pytest.approx(25, rel=1e-4)


def test_the_usual_picture_is_what_most_show_and_what_differs_is_told():
    torch.manual_seed(0)
    ground = torch.randint(0, 200, (1, 3, 8, 8), dtype=torch.uint8)
    pictures = ground.repeat(9, 1, 1, 1)
    pictures[torch.arange(8), :, torch.arange(8), torch.arange(8)] += 40  # something moves, at another place in each
    pictures[8, 0] += 9  # as little as noise
    assert (usual_picture(pictures).int() - ground[0].int()).abs().max() <= 3
    where = differs(pictures, usual_picture(pictures))
    assert where.nonzero().tolist() == [[k, k, k] for k in range(8)]


def test_a_palette_has_the_colours_of_what_moves_and_tells_them_apart():
    pictures = torch.full((64, 3, 8, 8), 40, dtype=torch.uint8)
    shades = torch.tensor([[255, 255, 255], [255, 0, 0], [52, 60, 40]], dtype=torch.uint8)  # the last like the ground
    for k, often in enumerate((60, 20, 5)):
        pictures[:often, :, 2 * k] = shades[k][:, None].repeat(1, 8)
    usual = torch.full((3, 8, 8), 40, dtype=torch.uint8)
    classes, found = palette(pictures, usual, 9)
    assert classes[coarse(shades.reshape(3, 3, 1, 1))].flatten().tolist() == [1, 2, 3]  # the rarer, the higher
    assert (255 * found[1:] - shades).abs().max() <= 8 and found.shape == (4, 3)
    merged, two = palette(pictures, usual, 2)
    assert two.shape == (3, 3) and merged[coarse(shades.reshape(3, 3, 1, 1))].unique().tolist() == [1, 2]
    nothing, black = palette(usual.repeat(4, 1, 1, 1), usual, 9)  # nothing moves
    assert black.shape == (2, 3) and nothing.min() >= 1
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert len(coarse(grey).unique()) == 256


def test_no_shot_is_lost_at_half_size(frames):
    method = make("autoencoder", frames)
    pictures = method.pictures[method.rows("train")[:40]]
    every = torch.where(differs(pictures, method.usual), method.palette[coarse(pictures)], 0)
    squares = every.reshape(40, 18, 2, 18, 2).permute(0, 1, 3, 2, 4).flatten(3)  # (B, H / 2, W / 2, 4)
    assert torch.equal(method.colours(pictures), squares.amax(-1)) and squares.amax() > 1


def test_rare_colours_of_the_foreground_weigh_more():
    weights = weights_of(torch.tensor([0] * 5000 + [1] * 900 + [2] * 100), 4)
    assert weights[2] / weights[1] == pytest.approx(3)
    assert (0.9 * weights[1] + 0.1 * weights[2]).item() == pytest.approx(1)
    assert weights[3] / weights[1] == pytest.approx(9.4868, rel=1e-4)  # never seen: as if a hundredth were
    assert weights_of(torch.zeros(3, dtype=torch.long), 3).isfinite().all()


@pytest.mark.parametrize("side", [36, 41, 64, 84])
def test_colours_are_told_for_every_square_of_pictures_of_any_size(side):
    sim = Simulator("Breakout", 8, seed=1, num_threads=1)
    collector = Collector(sim, Bot(sim, "heuristic", 1), size=side)
    collector.collect(20)
    method = make("autoencoder", collector.frames())
    pictures = method.pictures[method.rows("train")[:4]]
    half = (side + 1) // 2
    assert method.colours(pictures).shape == (4, half, half)
    assert all(logits.shape[2:] == (half, half) for logits in method.decoded(pictures))


def test_masks_hide_the_share_that_is_asked_for(frames):
    method = make("autoencoder", frames, mask=0.5)
    seen = []
    method.encoder.body[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    pictures = torch.full((64, 3, 36, 36), 255, dtype=torch.uint8)
    method.decoded(pictures)
    hidden = (seen[0].abs() < 1e-6).all(1).float().mean()
    assert 0.45 < hidden < 0.55
    with pytest.raises(OptionError, match=r"mask must be from 0 to 0.9, got 1"):
        make("autoencoder", frames, mask=1)
