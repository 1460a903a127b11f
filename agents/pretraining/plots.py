"""Figures from plain arrays: how a training went, where predictions are wrong, and what an encoder looks at.

Each function returns a `matplotlib.figure.Figure`, which `figure.savefig` writes and TensorBoard's `add_figure` takes.
Colours are those of Okabe & Ito (2008), which the colour-blind can tell apart; pixels stay pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...envs import OptionError
from ...envs.errors import printable
from ..runtime.extras import need

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, BLACK = COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
PLANE_COLORS = (BLUE, ORANGE, GREEN, RED, SKY, YELLOW)
OTHERS, MISSED, MADE_UP = "#FFFFFF", BLACK, PURPLE  # further planes, and what is wrong
LABEL_COLORS = (
    *COLORS,
    "#882255",
    "#999933",
)  # the last two are Tol's (2021), for ten classes
MARKERS = "osD^vPX*<h"
GREY = "#666666"
MOST_BARS, MOST_LETTERS = 40, 24
DPI = 100


def figure_of(width: float, height: float, extra: str = "pretrain") -> Any:
    """An empty figure, in inches; raises OptionError, which names the extra, without Matplotlib."""
    return need("matplotlib.figure", "a figure", extra).Figure((width, height), dpi=DPI, layout="constrained")


def axes_of(figure: Any, title: str, x: str = "", y: str = "") -> Any:
    """Axes over the whole figure, see `plain_axes`."""
    return plain_axes(figure.subplots(), title, x, y)


def plain_axes(axes: Any, title: str, x: str = "", y: str = "") -> Any:
    """The axes with faint lines and no box."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def as_labels(names: Sequence[str]) -> list[str]:
    """Names of classes, which may be anything, as Matplotlib writes them letter by letter; long ones are cut."""
    whole = map(printable, names)
    cut = (name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 3]}..." for name in whole)
    return [name.replace("$", r"\$") for name in cut]


def loss_curves(
    steps: Sequence[float], loss: Sequence[float], validation_loss: Sequence[float], best: int, title: str = "Loss"
) -> Any:
    """Training and validation loss, K entries each, at gradient steps; `best` is the entry whose weights were kept.

    The axis is logarithmic where all losses are above 0 and span more than a factor of 10.
    """
    figure = figure_of(7, 4)
    axes = axes_of(figure, title, "gradient steps", "loss")
    axes.plot(steps, loss, color=BLUE, marker="o", markersize=3.5, label="training")
    axes.plot(steps, validation_loss, color=RED, marker="s", markersize=3.5, linestyle="--", label="validation")
    axes.axvline(steps[best], color=GREY, linewidth=1, linestyle=":")
    axes.plot(
        steps[best], validation_loss[best], color=BLACK, marker="*", markersize=13, linestyle="none",
        label=f"best, step {steps[best]:,}",
    )  # fmt: skip
    both = np.array([*loss, *validation_loss])
    if both.min() > 0 and both.max() / both.min() > 10:
        axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False)
    return figure


def confusion_matrix(counts: np.ndarray, names: Sequence[str], title: str = "Confusion matrix") -> Any:
    """Counts (K, K) of predictions, a row for each true class, as shares of the rows; in numbers up to 20 classes."""
    k, names = len(counts), as_labels(names)
    side = max(4.0, 1.6 + 0.45 * min(k, 24))
    figure = figure_of(side + 1.2, side)
    axes = axes_of(figure, title, "predicted", "true")
    axes.grid(visible=False)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if k <= 24 else 6
    turned = {"rotation": 90} if max(map(len, names)) > 3 or k > 12 else {}
    axes.set_xticks(range(k), names, fontsize=size, **turned)
    axes.set_yticks(range(k), names, fontsize=size)
    if k <= 20:
        for (row, column), share in np.ndenumerate(shares):
            if counts[row, column]:
                text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color="w" if share > 0.6 else "k")
    figure.colorbar(image, label="share of the true class", format="{x:.0%}", shrink=0.8)
    return figure


def f1_bars(f1: np.ndarray, names: Sequence[str], cells: np.ndarray | None = None, title: str = "F1 by class") -> Any:
    """F1 (K,) of each class, the worst first, at most the 40 worst; classes that are nowhere (nan) are named below.

    `cells` (K,) counts how often each was there.
    """
    names, known = as_labels(names), np.flatnonzero(~np.isnan(f1))
    order = known[np.argsort(f1[known], kind="stable")][:MOST_BARS].tolist()
    figure = figure_of(7, 1.4 + 0.27 * max(len(order), 2))
    axes = axes_of(figure, title, "F1")
    axes.grid(visible=False, axis="y")
    labels = [names[k] if cells is None else f"{names[k]} ({cells[k]:,})" for k in order]
    axes.barh(
        range(len(order)), f1[order], color=[RED if f1[k] < 0.5 else ORANGE if f1[k] < 0.9 else BLUE for k in order]
    )
    for place, k in enumerate(order):
        axes.text(f1[k] + 0.01, place, f"{f1[k]:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(order)), labels, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1)
    axes.set_xticks(np.linspace(0, 1, 6))
    nowhere = [names[k] for k in np.flatnonzero(np.isnan(f1)).tolist()]
    if nowhere:
        axes.set_xlabel(f"F1\nnever there nor predicted: {', '.join(nowhere[:6])}" + ("..." if nowhere[6:] else ""))
    return figure


def f1_by_level(
    f1: np.ndarray, names: Sequence[str], levels: Sequence[Any], title: str = "F1 by class and level"
) -> Any:
    """F1 (K, L) of each class at each level; the worst classes at the top, the worst levels on the left, 20 of each."""
    names, rows = as_labels(names), np.argsort(_means(f1, 1), kind="stable")[:20]
    columns = np.argsort(_means(f1, 0), kind="stable")[:20]
    figure = figure_of(3 + 0.42 * len(columns), 1.8 + 0.3 * len(rows))
    axes = axes_of(figure, title, f"level, the worst {len(columns)} of {len(levels)}")
    axes.grid(visible=False)
    shown = f1[rows][:, columns]
    image = axes.imshow(np.ma.masked_invalid(shown), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axes.set_facecolor("#EEEEEE")
    axes.set_xticks(range(len(columns)), [str(levels[k]) for k in columns], rotation=90, fontsize=8)
    axes.set_yticks(range(len(rows)), [names[k] for k in rows], fontsize=9)
    for (row, column), value in np.ndenumerate(shown):
        if not np.isnan(value):
            text = f"{value:.2f}".removeprefix("0").replace(".00", "0") if value < 0.995 else "1"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="k" if value > 0.6 else "w")
    figure.colorbar(image, label="F1", shrink=0.9)
    return figure


def _means(f1: np.ndarray, axis: int) -> np.ndarray:
    """Means of what is there along an axis; 2, behind all others, where nothing is."""
    there = ~np.isnan(f1)
    return np.where(there.any(axis), np.where(there, f1, 0).sum(axis) / np.maximum(there.sum(axis), 1), 2.0)


def embedding_map(
    embeddings: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    most: int = 2000,
    title: str = "t-SNE",
    seed: int = 0,
) -> Any:
    """Embeddings (N, F) in the plane, by t-SNE (van der Maaten & Hinton 2008), coloured by labels (N,) of `names`.

    At most `most` of them, drawn at random. The ten commonest labels have colours and markers of their own.
    """
    decomposition, manifold = need("sklearn.decomposition", "t-SNE"), need("sklearn.manifold", "t-SNE")
    if len(embeddings) < 10:
        raise OptionError(f"t-SNE needs 10 embeddings or more, got {len(embeddings)}")
    rows = np.random.default_rng(seed).permutation(len(embeddings))[:most]
    perplexity = min(30, (len(rows) - 1) / 3)
    x = embeddings[rows].reshape(len(rows), -1).astype(np.float32)
    if x.shape[1] > 50:  # as the paper does
        x = decomposition.PCA(min(50, len(x)), random_state=seed).fit_transform(x)
    with need("threadpoolctl", "t-SNE").threadpool_limits(
        1
    ):  # on a machine that others use, its threads would wait for each other most of the time
        places = manifold.TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(x)
    figure = figure_of(7.5, 5.5)
    axes = axes_of(figure, title)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_yticks([])
    found, counts = np.unique(labels[rows], return_counts=True)
    common = np.sort(found[np.argsort(-counts, kind="stable")][: len(LABEL_COLORS)])
    rare = ~np.isin(labels[rows], common)
    if rare.any():
        axes.scatter(*places[rare].T, s=8, color="#BBBBBB", label="others")
    for label, color, marker in zip(common, LABEL_COLORS, MARKERS, strict=False):
        axes.scatter(
            *places[labels[rows] == label].T,
            s=11,
            color=color,
            marker=marker,
            linewidths=0,
            label=as_labels(names)[label],
        )
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, markerscale=2, fontsize=9
    )
    return figure


# -- on pictures


def picture_rows(
    rows: Sequence[tuple[str, np.ndarray]], title: str, maps: Sequence[np.ndarray | None] = (), label: str = ""
) -> Any:
    """Rows of pictures, each a name and (N, H, W, C) uint8 or floats from 0 to 1; over some of them maps as heat.

    Args:
        maps: for each row (N, h, w), from 0, of any resolution, or None.
        label: of the maps' colours.
    """
    maps = [*maps, *[None] * (len(rows) - len(maps))]
    count = len(rows[0][1])
    figure = figure_of(1.2 + 1.5 * count, 0.7 + 1.55 * len(rows))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    all_axes = figure.subplots(len(rows), count, squeeze=False)
    heat = None
    for (name, pictures), over, line in zip(rows, maps, all_axes, strict=True):
        line[0].set_ylabel(name, fontsize=10)
        for k, axes in enumerate(line):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color("#BBBBBB")
            height, width = pictures[k].shape[:2]
            frame = {"extent": (0, width, height, 0), "interpolation": "nearest"}
            shown = pictures[k] if over is None else _faint(pictures[k])
            axes.imshow(shown.squeeze(-1) if shown.shape[-1] == 1 else shown, cmap="gray", **frame)
            if over is not None:
                high = max(float(over[k].max()), 1e-12)
                heat = axes.imshow(over[k] / high, cmap="YlOrRd", alpha=_clear(over[k] / high), vmin=0, vmax=1, **frame)
    if heat is not None:
        figure.colorbar(heat, ax=all_axes, label=label, shrink=0.6, aspect=30)
    return figure


def _faint(picture: np.ndarray) -> np.ndarray:
    """A picture in light grey, so that colours are those of what lies over it: (H, W, 3) floats."""
    x = picture / 255 if picture.dtype == np.uint8 else picture
    return np.repeat(0.6 + 0.4 * x.mean(-1, keepdims=True), 3, axis=-1)


def _clear(heat: np.ndarray) -> np.ndarray:
    """Opacity of heat (h, w) from 0 to 1: none where it is cold, so that the picture is seen."""
    return 0.9 * np.sqrt(np.clip(heat, 0, 1))


def activation_maps(pictures: np.ndarray, maps: np.ndarray) -> Any:
    """Pictures (N, H, W, C), and under them how active the spatial map (N, h, w) is over each place."""
    rows = [("picture", pictures), ("activation", pictures)]
    above = maps - maps.min((1, 2), keepdims=True)
    return picture_rows(rows, "Activation of the spatial map", (None, above), "mean activation, lowest to highest")


def saliency_maps(pictures: np.ndarray, maps: np.ndarray, of: str) -> Any:
    """Pictures (N, H, W, C), and under them how much each pixel (N, H, W) matters to `of`."""
    rows = [("picture", pictures), ("saliency", pictures)]
    return picture_rows(rows, f"Saliency: pixels that matter to {of}", (None, maps), "attribution / its maximum")


def reconstructions(pictures: np.ndarray, rebuilt: np.ndarray) -> Any:
    """Pictures (N, H, W, C), what an autoencoder makes of them, and where they differ."""
    error = np.abs(pictures / 255.0 - (rebuilt / 255.0 if rebuilt.dtype == np.uint8 else rebuilt)).mean(-1)
    rows = [("picture", pictures), ("rebuilt", np.clip(rebuilt, 0, None)), ("error", pictures)]
    return picture_rows(rows, "Reconstructions", (None, None, error), "error / its maximum")


def decoded_planes(
    pictures: np.ndarray, true: np.ndarray, predicted: np.ndarray, names: Sequence[str], over: bool = True
) -> Any:
    """Pictures (N, H, W, C); under them the planes, true and predicted, (N, rows, columns, P) of 0 and 1; and what is wrong.

    With `over`, cells lie over the pictures, which is right where the grid covers them; else on a board of their own. A cell
    with several planes has a stripe of each. Up to six planes have their colours by number, so that figures can be compared;
    of more, the six commonest here have some.
    """
    from matplotlib.patches import Patch

    kept = np.flatnonzero((true | predicted).any((0, 1, 2)))
    names, few = as_labels(names), len(names) <= len(PLANE_COLORS)
    most = np.argsort(-true.sum((0, 1, 2))[kept], kind="stable")[: len(PLANE_COLORS)]
    common: list[int] = (kept if few else kept[most]).tolist()
    colors = [*PLANE_COLORS[: len(names)]] if few else [OTHERS] * len(names)
    for k, color in zip(() if few else common, PLANE_COLORS, strict=False):
        colors[k] = color
    missed, made_up = (true > predicted).any(-1), (predicted > true).any(-1)
    wrong = np.stack([missed, made_up], -1)
    rows = [("picture", pictures), ("true", pictures), ("decoded", pictures), ("wrong", pictures)]
    figure = picture_rows(rows, "Planes, decoded from pictures")
    lines = np.array(figure.axes).reshape(len(rows), -1)
    for k in range(len(pictures)):
        height, width = pictures[k].shape[:2] if over else true[k].shape[:2]
        for axes, cells, of in zip(
            lines[1:, k], (true[k], predicted[k], wrong[k]), (colors, colors, (MISSED, MADE_UP)), strict=True
        ):
            axes.images[0].set_data(_faint(pictures[k]) if over else np.full((1, 1, 3), 0.85))
            axes.images[0].set_extent((0, width, height, 0))
            axes.imshow(_striped(cells, of), extent=(0, width, height, 0), interpolation="nearest")
    shown = [(colors[k], names[k]) for k in common]
    shown += [(OTHERS, "other planes")] if len(kept) > len(common) else []
    shown += [(MISSED, "wrong: missed"), (MADE_UP, "wrong: made up")]
    legend_below(figure, [Patch(facecolor=color, edgecolor=GREY, linewidth=0.5, label=name) for color, name in shown])
    return figure


def legend_below(figure: Any, known: Sequence[Any], title: str | None = None) -> None:
    """A legend below all axes, in as many columns as the figure is wide enough for; it becomes higher by the lines."""
    widest = 0.55 + 0.085 * max(
        len(entry.get_label()) for entry in known
    )  # inches of a patch, and of a letter of 9 points
    columns = min(5, len(known), max(1, int((figure.get_figwidth() - 0.2) / widest)))
    lines = -(-len(known) // columns)
    figure.set_figheight(figure.get_figheight() + 0.19 * lines)
    figure.legend(
        handles=known, loc="outside lower left", ncols=-(-len(known) // lines), frameon=False, fontsize=9,
        title=title, title_fontsize=9, alignment="left",
    )  # fmt: skip


def _striped(cells: np.ndarray, colors: Sequence[Any], size: int = 12) -> np.ndarray:
    """Cells (rows, columns, P) of 0 and 1 as a picture (rows * size, columns * size, 4), clear where nothing is."""
    from matplotlib.colors import to_rgba

    picture = np.zeros((cells.shape[0] * size, cells.shape[1] * size, 4))
    for row, column in np.argwhere(cells.any(-1)):
        here = np.flatnonzero(cells[row, column])
        for x in range(size):
            stripe = to_rgba(colors[here[x * len(here) // size]], 0.9)
            picture[row * size : (row + 1) * size, column * size + x] = stripe
    return picture
