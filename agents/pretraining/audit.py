"""What frames are good for: how many pictures differ, which planes they show, and what there is too little of."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

import numpy as np

from ...envs import Bot, GameError, Observer, OptionError, Simulator, find_game
from .frames import PARTS, SHARES, Frames, digest_of

FEW_PICTURES = 5_000  # a training part that is smaller makes encoders that overfit
FEW_NEW = 0.25  # share of frames that are new pictures, below which playing longer adds little
FEW_WITH = 20  # pictures of a part that a plane should be in, for a figure of it to mean something
MANY_LABELS = 0.01  # share of pictures seen twice with two labels, above which a plane is not shown
MANY_HIDDEN = (
    0.1  # share of changes of a field that change a plane but not the picture, above which it is partly hidden
)
SAME_ACTION = 0.9
WIDTH = 80  # columns of the text


@dataclass(frozen=True)
class PlaneAudit:
    """One plane.

    Attributes:
        cells: share of all cells of all pictures where it is 1.
        pictures: share of pictures where it is 1 anywhere; `test` is the number of those in the test part.
        two_labels: share of the pictures seen twice that had two values in it; nan if no picture was.
        hidden: of the changes of one field of records that changed the plane, the share that left the picture as it was, for
            the field of which that is the largest; nan if that was not tried, or none did.
        fields: all such fields, the worst first.
    """

    name: str
    cells: float
    pictures: float
    test: int
    two_labels: float
    hidden: float = float("nan")
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """What there is in frames.

    Attributes:
        frames, unique: steps, and different pictures.
        unstepped: pictures that no step has seen, made of shuffled records.
        new: pictures seen in steps / steps.
        episodes, levels: how many ended, and how many levels they were of; 0 levels: every episode was new.
        parts: pictures of each part.
        overlap: pictures that are in two parts, by their content.
        overlap_by_level: if whole levels (episodes, where there are none) were drawn for the test part instead: the share
            of its pictures that the training part had, too; nan if there are fewer than 10.
        two_labels: share of the pictures seen twice that had two labels, in whatever plane.
        actions: share of each; rewards: how often each was given, at most 10 of them.
    """

    game: str
    frames: int
    unique: int
    unstepped: int
    new: float
    episodes: int
    levels: int
    parts: dict[str, int]
    overlap: int
    overlap_by_level: float
    two_labels: float
    planes: tuple[PlaneAudit, ...]
    actions: dict[str, float]
    rewards: dict[float, int]

    def advice(self) -> list[str]:
        """What to change, a sentence each."""
        return [*_advice_on_size(self), *_advice_on_planes(self), *_advice_on_steps(self)]

    def text(self) -> str:
        """All of it in lines of at most 80 columns."""
        split = "level" if self.levels else "episode"
        lines = [
            f"{self.game}: {self.frames:,} frames, {self.episodes:,} episodes ended, {self.levels:,} levels",
            f"different pictures  {self.unique:,}, of them {self.unstepped:,} of shuffled records; "
            f"{self.new:.0%} of frames are new",
            f"parts               {', '.join(f'{name} {n:,}' for name, n in self.parts.items())}; "
            f"in two of them {self.overlap:,}",
            f"a split by {split:7s}  would share {_percent(self.overlap_by_level)} of its test pictures with training",
        ]
        if self.planes:
            lines += [
                "",
                f"{'plane':20s}{'cells':>9s}{'pictures':>10s}{'two labels':>12s}{'not shown':>11s}  by fields",
            ]
            lines += [_plane_line(plane) for plane in self.planes]
        actions = ", ".join(f"{name} {share:.0%}" for name, share in self.actions.items())
        rewards = ", ".join(f"{value:g} ({n:,} times)" for value, n in self.rewards.items())
        lines += ["", *_wrapped("actions", actions), *_wrapped("rewards", rewards)]
        for sentence in self.advice():
            lines += wrap(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ")
        return "\n".join(lines)


def audit(frames: Frames, records: np.ndarray | None = None) -> Audit:
    """What there is in frames.

    Args:
        records: (N,) of the game, from play (see `records_of_play`), whose fields are changed one by one to find planes that
            pictures do not show; None: only what was seen is looked at.
    """
    seen = frames.seen > 1
    both = frames.ambiguous[seen]
    hidden = {} if records is None else hidden_planes(frames, records)
    values, counts = np.unique(frames.reward, return_counts=True)
    common = np.sort(np.argsort(-counts, kind="stable")[:10])
    stepped = len(np.unique(frames.index))
    levels = np.unique(frames.level)
    return Audit(
        game=frames.game,
        frames=frames.index.size,
        unique=len(frames),
        unstepped=len(frames) - stepped,
        new=stepped / frames.index.size,
        episodes=int(frames.done.sum()),
        levels=int((levels >= 0).sum()),
        parts={name: len(frames.rows(name)) for name in PARTS},
        overlap=overlap(frames),
        overlap_by_level=overlap_by_level(frames),
        two_labels=float(both.any(1).mean()) if len(both) else float("nan"),
        planes=tuple(
            PlaneAudit(
                name,
                cells=float(frames.planes[..., k].mean()),
                pictures=float(frames.planes[..., k].any((1, 2)).mean()),
                test=int(frames.planes[frames.rows("test"), ..., k].any((1, 2)).sum()),
                two_labels=float(both[:, k].mean()) if len(both) else float("nan"),
                **hidden.get(name, {}),
            )
            for k, name in enumerate(frames.plane_names)
        ),
        actions={name: float((frames.action == k).mean()) for k, name in enumerate(frames.action_names)},
        rewards={float(values[k]): int(counts[k]) for k in common},
    )


def overlap(frames: Frames) -> int:
    """How many pictures are in two parts, by their content: 0, if parts are what they should be."""
    digests = digest_of(frames.pictures)
    in_parts = np.unique(np.stack([digests, frames.part.astype(np.uint64)], 1), axis=0)
    return len(in_parts) - len(np.unique(digests))


def overlap_by_level(frames: Frames) -> float:
    """The share of pictures of a test part of whole levels that a training part of others had, too; see `Audit`."""
    if (frames.level >= 0).all():
        group = frames.level
    else:
        began = np.concatenate([np.zeros_like(frames.done[:1]), frames.done[:-1]]).cumsum(0)  # (T, N)
        group = began * frames.index.shape[1] + np.arange(frames.index.shape[1])
    groups, number = np.unique(group, return_inverse=True)
    if len(groups) < 10:
        return float("nan")
    order = np.random.default_rng(0).permutation(len(groups))[number.reshape(group.shape)] / len(groups)
    train = np.unique(frames.index[order < SHARES[0]])
    test = np.unique(frames.index[order >= SHARES[0] + SHARES[1]])
    return float(np.isin(test, train).mean())


def records_of_play(game: str, count: int = 512, seed: int = 0) -> np.ndarray:
    """Records (count,) of a game, from random play, some steps apart."""
    sim = Simulator(game, 64, seed=seed)
    bot = Bot(sim, "random", seed)
    sim.reset()
    found = []
    for step in range(16 * -(-count // sim.num_envs)):
        sim.step(bot.act())
        if step % 16 == 15:
            found.append(sim.records.copy())
    return np.concatenate(found)[:count]


def hidden_planes(frames: Frames, records: np.ndarray) -> dict[str, dict]:
    """Planes that changes of single fields show to be hidden, by name: `hidden` and `fields` of `PlaneAudit`.

    Every record (N,) gets one field of another record. Where that changes a plane but not the picture, the picture cannot
    tell what is there.
    """
    game = find_game(frames.game)
    if not game.planes or len(records) < 2:
        raise OptionError(f"hidden planes need a game with planes, and 2 records or more; got {len(records)}")
    see, label = Observer(game, "checked", **frames.options), Observer(game, "checked")
    pictures, planes = digest_of(see(records)), label(records)
    found: list[dict[str, float]] = [{} for _ in game.planes]  # share of hidden changes by field
    for name in records.dtype.names or ():
        other = records.copy()
        other[name] = np.roll(records[name], len(records) // 2, axis=0)
        try:
            same, changed = digest_of(see(other)) == pictures, (label(other) != planes).any((1, 2))  # (N,), (N, P)
        except GameError:  # no record that the rules can draw
            continue
        for k in np.flatnonzero(changed.any(0)):
            found[k][name] = float(same[changed[:, k]].mean())
    return {
        name: {
            "hidden": max(shares.values(), default=float("nan")),
            "fields": tuple(field for field, share in sorted(shares.items(), key=lambda x: -x[1]) if share > 0),
        }
        for name, shares in zip(game.planes, found, strict=True)
    }


# -- in words


def _percent(share: float) -> str:
    """As people read it; "-" for nan."""
    return "-" if np.isnan(share) else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _wrapped(name: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=f"{name:20s}", subsequent_indent=" " * 20)


def _plane_line(plane: PlaneAudit) -> str:
    line = f"{plane.name[:19]:20s}{_percent(plane.cells):>9s}{_percent(plane.pictures):>10s}"
    line += f"{_percent(plane.two_labels):>12s}{_percent(plane.hidden):>11s}  {', '.join(plane.fields)}"
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _advice_on_size(found: Audit) -> list[str]:
    lines = []
    if found.overlap:
        lines.append(f"{found.overlap:,} pictures are in two parts: figures on the test part mean nothing.")
    if found.parts["train"] < FEW_PICTURES:
        lines.append(
            f"The training part has {found.parts['train']:,} pictures, below {FEW_PICTURES:,}: collect more steps"
            + ("." if found.unstepped else ", or shuffle records.")
        )
    if found.new < FEW_NEW and not found.unstepped:
        lines.append(
            f"Only {_percent(found.new)} of frames are pictures not seen before: playing on adds little; another player, or "
            "shuffled records, add more."
        )
    empty = [name for name, count in found.parts.items() if not count]
    if empty:
        lines.append(f"There are no pictures for {' and '.join(empty)}: collect more steps.")
    return lines


def _advice_on_planes(found: Audit) -> list[str]:
    never = [plane.name for plane in found.planes if not plane.pictures]
    few = [f"{p.name} ({p.test:,})" for p in found.planes if p.pictures and p.test < FEW_WITH]
    unshown = [f"{p.name} ({_percent(p.two_labels)})" for p in found.planes if p.two_labels > MANY_LABELS]
    partly = [
        f"{p.name} ({_percent(p.hidden)} of its changes by {p.fields[0]} leave the picture as it is)"
        for p in found.planes
        if p.hidden > MANY_HIDDEN and not p.two_labels > MANY_LABELS
    ]
    lines = []
    if never:
        lines.append(f"Never present: {', '.join(never)}. Nothing can be learned of them; shuffle, or play better.")
    if few:
        lines.append(f"In fewer than {FEW_WITH} test pictures: {', '.join(few)}. Figures of them are rough.")
    if unshown:
        lines.append(
            f"Not shown: {', '.join(unshown)} of the pictures seen twice had two labels. No encoder can tell them: leave "
            "them out of averages."
        )
    if partly:
        lines.append(f"Partly hidden: {', '.join(partly)}. No encoder can tell all of it.")
    return lines


def _advice_on_steps(found: Audit) -> list[str]:
    lines = [
        f"{share:.0%} of actions are {name}: cloning them needs no look at the picture."
        for name, share in found.actions.items()
        if share > SAME_ACTION
    ]
    if set(found.rewards) <= {0.0}:
        lines.append("No step had a reward: rewards cannot be predicted from this.")
    if found.levels and found.levels < 10:
        lines.append(f"Frames are of {found.levels} levels: a split by level needs 10.")
    return lines
