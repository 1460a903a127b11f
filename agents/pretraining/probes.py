"""What a frozen encoder knows: simple classifiers on its embeddings, beside those of a random encoder of the same kind.

The questions are in the spirit of AtariARI (Anand et al. 2019), whose state variables are here a game's planes: is this plane
set in this cell? Each plane is asked for in a few cells, which are drawn once, by a seed, among those where it is neither
always nor never. Classifiers learn from labelled pictures of the training part, the same for all cells, as they come: most
cells are seldom set, so that 1,000 labels may have ten of a kind, and classifiers weigh answers evenly. The score of a cell
is F1 on pictures of the test part, which neither classifiers nor encoders have seen; a plane's is the mean over its cells,
and the score of all is the mean over planes. Rewards, by their sign, and the heuristic's actions are one question each, whose
score is the mean of F1 over answers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch

from ...envs import OptionError
from ..nn.vision import PictureEncoder
from ..runtime.extras import need
from .frames import Frames
from .methods.planes import visible_planes

LAYERS = ("map", "output")
LABELS = (100, 1000, 6000)
TARGETS = ("planes", "reward", "advice")
LEAST = 10  # pictures with an answer, in each part, for the answer to be asked for


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn, such as "cluster"."""
    return need(f"sklearn.{module}", "probing")


def _scaled(classifier: Any) -> Any:
    scaler = scikit_learn("preprocessing").StandardScaler()
    return scikit_learn("pipeline").make_pipeline(scaler, classifier)


PROBES: dict[str, Callable[[int], Any]] = {  # classifiers by seed
    "linear": lambda _: _scaled(scikit_learn("linear_model").LogisticRegression(class_weight="balanced", max_iter=100)),
    "tree": lambda seed: scikit_learn("tree").DecisionTreeClassifier(class_weight="balanced", random_state=seed),
    "forest": lambda seed: scikit_learn("ensemble").RandomForestClassifier(class_weight="balanced", random_state=seed),
    "svm": lambda _: _scaled(scikit_learn("svm").SVC(class_weight="balanced")),
}


@dataclass(frozen=True)
class Question:
    """What is asked of every picture: `answers` (U,) int64, -1 where there is none.

    `group` is a plane, reward or advice; the score is the mean of F1 over the answers in `scored`.
    """

    group: str
    answers: np.ndarray
    scored: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """What a probe got: the mean F1 over groups, and each of them."""

    encoder: str
    layer: str
    target: str
    probe: str
    labels: int
    f1: float
    groups: dict[str, float]


def probe_table(
    frames: Frames,
    encoders: dict[str, PictureEncoder],
    targets: Sequence[str] = TARGETS,
    probes: Sequence[str] = ("linear",),
    labels: Sequence[int] = LABELS,
    layers: Sequence[str] = LAYERS,
    cells: int = 6,
    seed: int = 0,
) -> list[Score]:
    """Scores of encoders, all of one kind, and of "random", which is one of that kind as it begins.

    Args:
        frames: what there is to ask about; `encoders` have learned from no picture of its test part.
        targets, probes, layers: of `TARGETS`, `PROBES` and `LAYERS`.
        labels: how many labelled pictures classifiers learn from, at most.
        cells: of each plane that are asked for.
        seed: of the cells, the pictures, the classifiers and the random encoder.
    """
    for name, given, known in (("targets", targets, TARGETS), ("probes", probes, PROBES), ("layers", layers, LAYERS)):
        if wrong := sorted(set(given) - set(known)):
            raise OptionError(f"{name} must be of {', '.join(known)}, got {', '.join(map(str, wrong))}")
    if len({encoder.config for encoder in encoders.values()}) != 1:
        raise OptionError("encoders must be all of one kind, since one random encoder stands beside them")
    rng = np.random.default_rng(seed)
    pools = {part: rng.permutation(frames.rows(part))[:most] for part, most in (("train", max(labels)), ("test", 2500))}
    asked = {target: questions(frames, target, pools, cells, seed) for target in targets}
    scores = []
    for name, encoder in {"random": random_like(next(iter(encoders.values())), seed), **encoders}.items():
        seen = {part: embed(encoder, frames.pictures, rows) for part, rows in pools.items()}
        for layer, target, probe, count in product(layers, targets, probes, labels):
            found: dict[str, list[float]] = {}
            for question in asked[target]:
                x = {part: seen[part][layer] for part in pools}
                y = {part: question.answers[rows] for part, rows in pools.items()}
                found.setdefault(question.group, []).append(ask(probe, x, y, count, question.scored, seed))
            groups = {group: float(np.mean(f1)) for group, f1 in found.items()}
            if groups:
                scores.append(Score(name, layer, target, probe, count, float(np.mean([*groups.values()])), groups))
    return scores


def questions(
    frames: Frames, target: str, pools: dict[str, np.ndarray], cells: int = 6, seed: int = 0
) -> list[Question]:
    """What is asked for a target. What is seen less than `LEAST` times in a pool is not asked for."""
    if target != "planes":
        return _question_of_steps(frames, target, pools)
    rng, asked = np.random.default_rng(seed), []
    for plane in np.flatnonzero(visible_planes(frames)):
        found = (frames.planes[..., plane] > 0).reshape(len(frames), -1)  # (U, cells)
        rarer = [np.minimum(found[pool].sum(0), (~found[pool]).sum(0)) for pool in pools.values()]
        fit = np.flatnonzero(np.min(rarer, 0) >= LEAST)
        name = frames.plane_names[plane]
        asked += [Question(name, found[:, cell].astype(np.int64), (1,)) for cell in rng.permutation(fit)[:cells]]
    return asked


def _question_of_steps(frames: Frames, target: str, pools: dict[str, np.ndarray]) -> list[Question]:
    """One question, or none: of the first step that saw a picture, the reward's sign and 1, or the heuristic's action."""
    column = np.sign(frames.reward).astype(np.int64) + 1 if target == "reward" else frames.advice
    pictures, first = np.unique(frames.index, return_index=True)
    answers = np.full(len(frames), -1)
    answers[pictures] = column.ravel()[first]
    often = [np.bincount(answers[pool] + 1, minlength=answers.max() + 2)[1:] for pool in pools.values()]
    scored = np.flatnonzero(np.min(often, 0) >= LEAST)
    answers = np.where(np.isin(answers, scored), answers, -1)
    return [Question(target, answers, tuple(scored.tolist()))] if len(scored) > 1 else []


def ask(
    probe: str, x: dict[str, np.ndarray], y: dict[str, np.ndarray], count: int, scored: Sequence[int], seed: int = 0
) -> float:
    """The mean F1 score on the test part of a classifier that learned from the first `count` of the training part.

    Args:
        x, y: embeddings (K, F) and answers (K,), -1 for none, of "train" and "test".
        scored: answers whose F1 counts.
    """
    train, test = np.flatnonzero(y["train"] >= 0)[:count], np.flatnonzero(y["test"] >= 0)
    answers = y["train"][train]
    if (answers == answers[0]).all():  # nothing to tell apart
        predicted = np.full(len(test), answers[0])
    else:
        with (
            warnings.catch_warnings()
        ):  # of the linear probe, whose F1 is the same to three digits after 400 iterations
            warnings.filterwarnings("ignore", "lbfgs failed to converge")
            predicted = PROBES[probe](seed).fit(x["train"][train], answers).predict(x["test"][test])
    f1_score = scikit_learn("metrics").f1_score
    return float(f1_score(y["test"][test], predicted, labels=list(scored), average="macro", zero_division=0))


@torch.no_grad()
def embed(encoder: PictureEncoder, pictures: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The spatial "map" (K, F * h * w), flattened, and the "output" (K, width) of rows (K,) of pictures (U, H, W, C)."""
    encoder = deepcopy(encoder).eval()
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS}
    for some in np.array_split(rows, max(1, len(rows) // 256)):
        spatial = encoder.spatial(torch.from_numpy(pictures[some]).permute(0, 3, 1, 2)).flatten(1)
        for layer, values in zip(LAYERS, (spatial, encoder.layer(spatial)), strict=True):
            found[layer].append(values.numpy())
    return {layer: np.concatenate(values) for layer, values in found.items()}


def random_like(encoder: PictureEncoder, seed: int = 0) -> PictureEncoder:
    """An encoder of the same kind as it begins, with the same mean picture and scale."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = PictureEncoder(encoder.config)
    fresh.mean.copy_(encoder.mean)
    fresh.scale.copy_(encoder.scale)
    return fresh


def clusters(embeddings: np.ndarray, answers: np.ndarray, count: int = 8, seed: int = 0) -> tuple[np.ndarray, float]:
    """k-means on embeddings (K, F): the sizes (count,) of clusters, and normalized mutual information with answers (K,).

    Features are scaled to standard deviation 1; the information is 1 where either tells the other, 0 where neither does.
    """
    if not 1 <= count <= len(embeddings):
        raise OptionError(f"count must be from 1 to {len(embeddings)}, the number of embeddings, got {count}")
    found = _scaled(scikit_learn("cluster").KMeans(count, n_init=4, random_state=seed)).fit_predict(embeddings)
    information = scikit_learn("metrics").normalized_mutual_info_score(answers, found)
    return np.bincount(found, minlength=count), float(information)
