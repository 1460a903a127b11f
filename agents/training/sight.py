"""What an agent sees, to be shown: planes that its encoder tells, or the pixels that matter to an action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...envs.viewer.scene import Sight, readable
from ..nn.actor_critic import forward_step
from ..nn.overridden import OverriddenHead

# Okabe and Ito (2008), whom most of the colour-blind can tell apart; then lighter, darker and greyer ones of them.
COLORS = np.array(
    [(86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0), (0, 114, 178)]
)
SHADES = ((0, 0.0), (255, 0.55), (0, 0.5), (128, 0.65))  # a grey, and its share
PALETTE = np.concatenate([(1 - share) * COLORS + share * grey for grey, share in SHADES]).astype(np.uint8)
EMPTY, DARK, LIGHT = (33, 38, 52), (11, 13, 19), (255, 255, 255)
CELL = 9  # pixels of a cell's side: a frame of 2 in one colour around a square of 5 in another, or a cross
HEAT = (0, 0, 0), (150, 30, 90), (245, 130, 30), (255, 245, 180)  # from no gradient to the largest
LEGEND = ("small", HEAT[1]), ("large", HEAT[3])
DIMMED, COVER = 0.5, 0.75  # what is left of a picture's brightness; how much of it the largest gradient covers


def decoded(planes: np.ndarray, names: Sequence[str], true_planes: np.ndarray | None) -> Sight:
    """The planes that an encoder tells of a picture; cells where one is wrong are crossed.

    Args:
        planes: (rows, columns, P), what it tells.
        names: of the planes.
        true_planes: (rows, columns, P), the game's own; None where it has others.
    """
    rows, columns, _ = planes.shape
    wrong = planes != (planes if true_planes is None else true_planes)
    note = "of another game" if true_planes is None else f"{wrong.sum()} of {wrong.size} cells wrong"
    rgb = drawn(planes > 0, wrong.any(-1))
    legend = tuple((names[k], color_of(k)) for k in np.flatnonzero(planes.any((0, 1))).tolist())
    return Sight("Decoded planes", note, columns * CELL, rows * CELL, rgb.tobytes(), CELL, legend)


def color_of(plane: int) -> tuple[int, int, int]:
    """The colour of a plane, by its number."""
    red, green, blue = PALETTE[plane % len(PALETTE)].tolist()
    return red, green, blue


def drawn(planes: np.ndarray, crossed: np.ndarray) -> np.ndarray:
    """Planes (rows, columns, P) bool as a picture (rows * CELL, columns * CELL, 3) uint8.

    Where a cell has several, the last of them is inside and the one before is its frame; planes that most cells have come
    first, so that they hide no other.
    """
    rows, columns, count = planes.shape
    order = sorted(range(count), key=lambda k: (2 * planes[..., k].sum() > rows * columns, -k))
    ranked = planes[..., order]  # the innermost first
    colors = np.concatenate([PALETTE[np.array(order) % len(PALETTE)], [EMPTY]]).astype(np.uint8)

    def first() -> np.ndarray:
        """(rows, columns), the first plane of each cell; P: none."""
        return np.where(ranked.any(-1), ranked.argmax(-1), count)

    inner = first()
    np.put_along_axis(ranked, np.minimum(inner, count - 1)[..., None], False, -1)
    outer = np.where(ranked.any(-1), first(), inner)
    picture = np.empty((rows, CELL, columns, CELL, 3), np.uint8)
    picture[:] = colors[outer][:, None, :, None]
    picture[:, 2:-2, :, 2:-2] = colors[inner][:, None, :, None]
    cells = picture.swapaxes(1, 2)  # (rows, columns, CELL, CELL, 3)
    bright = colors[inner].astype(int) @ (0.3, 0.59, 0.11) > 110
    strokes = np.where(bright[crossed][:, None, None], DARK, LIGHT)  # (crossed cells, 1, 3)
    row, column = np.nonzero(crossed)
    for across in (np.arange(CELL), np.arange(CELL)[::-1]):
        cells[row[:, None], column[:, None], np.arange(CELL), across] = strokes
    return picture.reshape(rows * CELL, columns * CELL, 3)


def saliency(agent: Any, obs: Any, state: Any, action: int, stacked: int, name: str) -> Sight | None:
    """How much each pixel matters to an action: the gradient of its logit, or of its value (Simonyan et al. 2014).

    Args:
        agent: one that learned from pictures.
        obs: (1, ...), as `predict` takes it.
        state: of a recurrent policy, with one row; else None.
        action: number of the action; `name` is its name.
        stacked: pictures in an observation, of which the newest is shown and each pixel has the largest gradient of all.

    Returns:
        None where no gradient comes back to the pixels, as through a network that counts or compares.
    """
    policy = agent.policy
    policy.set_training_mode(False)
    frozen = getattr(policy, "frozen", None)
    pixels, _ = policy.obs_to_tensor(obs) if frozen is None else policy.pictures_to_tensor(obs)
    pixels = pixels.float().requires_grad_()
    with torch.enable_grad():
        score = scores(policy, pixels if frozen is None else frozen.features(pixels / 255), state)[0, action]
        if not score.requires_grad:
            return None
        (gradient,) = torch.autograd.grad(score, pixels, materialize_grads=True)
    turn = (0, 1, 2) if agent.channels_first else (2, 0, 1)
    picture, gradient = (x[0].permute(turn) for x in (pixels.detach(), gradient))  # (C, H, W)
    what = f"{'value' if agent.acts_on_values else 'logit'} of {readable(name)}"
    newest = picture[-(len(picture) // stacked) :].mean(0)
    return saliency_map(newest.cpu().numpy(), smoothed(gradient.abs().amax(0)).cpu().numpy(), what)


def scores(policy: Any, seen: Tensor, state: Any) -> Tensor:
    """Logits or values (N, A) of what the network that learned sees (N, ...), with gradients."""
    if hasattr(policy, "q_net"):
        return policy.q_net(seen)
    if isinstance(policy.head, OverriddenHead):
        return policy.get_distribution(seen).distribution.logits
    recurrent_state = None if policy.core is None else policy.recurrent_state_of(state, None, len(seen))
    return forward_step(policy, seen, recurrent_state)[0]


def smoothed(x: Tensor) -> Tensor:
    """(H, W), averaged twice over a twentieth of the longer side, at least 3 pixels: nearly a Gaussian."""
    size = max(max(x.shape) // 20 | 1, 3)
    for _ in range(2):
        x = F.avg_pool2d(x[None], size, 1, size // 2, count_include_pad=False)[0]
    return x


def saliency_map(picture: np.ndarray, gradient: np.ndarray, what: str) -> Sight:
    """A grey picture (H, W), 0 to 255, dimmed, under the gradient (H, W) of `what` in colours."""
    share, steps = gradient / max(gradient.max(), 1e-20), np.linspace(0, 1, len(HEAT))
    colors = np.stack([np.interp(share, steps, channel) for channel in zip(*HEAT, strict=True)], -1)
    cover = COVER * share[..., None]
    rgb = ((1 - cover) * DIMMED * picture[..., None] + cover * colors).astype(np.uint8)
    height, width = picture.shape
    return Sight("Saliency", f"gradient of the {what}", width, height, rgb.tobytes(), legend=LEGEND)
