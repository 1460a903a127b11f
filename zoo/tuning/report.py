"""A study as one HTML file, which asks no host for anything."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...agents.files.safe_io import write_whole
from ...agents.runtime.extras import need

if TYPE_CHECKING:
    from optuna import Study
    from plotly.graph_objects import Figure

STYLE = """
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #222; }
h1 { font-weight: 600; } h2 { font-weight: 600; margin: 2.5rem 0 .5rem; }
table { border-collapse: collapse; } td, th { padding: .15rem 1.5rem .15rem 0; text-align: left; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
p.note { color: #666; }
"""
COLORS = {"tuned": "#1b7f5c", "default": "#888888"}


@dataclass(frozen=True)
class Comparison:
    """Scores of the tuned and of the default settings, each trained with fresh seeds."""

    tuned: Sequence[float]
    default: Sequence[float]

    @property
    def gain(self) -> tuple[float, float, float]:
        """How much higher the mean of the tuned settings is, and its 95 % interval by Welch's t-test."""
        from scipy.stats import ttest_ind

        gain = float(np.mean(self.tuned) - np.mean(self.default))
        if np.ptp(self.tuned) == np.ptp(self.default) == 0:
            return gain, gain, gain
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of one that always scored the same, as the best possible
            interval = ttest_ind(self.tuned, self.default, equal_var=False).confidence_interval(0.95)
        return gain, float(interval.low), float(interval.high)

    def __str__(self) -> str:
        gain, low, high = self.gain
        return (
            f"Over {len(self.tuned)} fresh seeds: tuned {np.mean(self.tuned):.2f}, defaults {np.mean(self.default):.2f}, "
            f"difference {gain:+.2f} (95 % interval {low:+.2f} to {high:+.2f})."
        )


def write_report(
    path: Path, title: str, score: str, study: Study, comparison: Comparison | None, changes: Mapping[str, Any]
) -> None:
    """Write the report of a study in which a trial is complete.

    Args:
        score: what a score is, in words.
        comparison: of the best settings and the defaults; None: they are the same.
        changes: the best settings, where they are not the defaults.
    """
    need("plotly", "a report", "tune")
    figures = "".join(section(*parts, first=number == 0) for number, parts in enumerate(sections(study, comparison)))
    rows = "".join(f"<tr><td>{escaped(name)}</td><td>{escaped(value)}</td></tr>" for name, value in changes.items())
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}: tuning</title><style>{STYLE}</style></head><body>
<h1>{escaped(title)}</h1>
<p>{escaped(summary_of(study))} Score: {escaped(score)}.</p>
<p><b>{escaped(comparison or "None was better than the default settings.")}</b></p>
<p class="note">The best of many trials was partly lucky. So its settings and the defaults, where they differ, are trained
again with seeds that no trial had, and only that comparison tells what was gained.</p>
<h2>The best settings</h2>
{f"<table>{rows}</table>" if rows else "<p>Those of <code>ludus train</code>.</p>"}
{figures}
</body></html>
"""
    write_whole(path, text.encode())


def summary_of(study: Study) -> str:
    """How many trials there were, in words."""
    states = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    best = study.best_trial
    return (
        f"{states.count('COMPLETE')} trials trained to the end, {states.count('PRUNED')} were pruned. The best was trial "
        f"{best.number}, with a score of {best.value:.2f}."
    )


def sections(study: Study, comparison: Comparison | None) -> list[tuple[str, str, Callable[[], Figure]]]:
    """Of each figure a heading, what to know of it, and what draws it."""
    from optuna import importance
    from optuna import visualization as plots

    parts: list[tuple[str, str, Callable[[], Figure]]] = []
    if comparison is not None:
        parts.append(("Tuned and default settings", "Scores over fresh seeds.", lambda: compared(comparison)))
    parts += [
        ("Scores", "Each trial, and the best so far.", lambda: plots.plot_optimization_history(study)),
        (
            "Learning curves",
            "A tenth of the training from point to point; trials below the median are pruned.",
            lambda: curves(study),
        ),
    ]
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len({trial.value for trial in complete}) > 3:
        evaluator = importance.PedAnovaImportanceEvaluator()
        parts += [
            (
                "Importance",
                "By PED-ANOVA (Watanabe et al. 2023): which settings tell the best tenth of the trials from all.",
                lambda: plots.plot_param_importances(study, evaluator=evaluator),
            ),
            ("Parallel coordinates", "A line is a trial.", lambda: plots.plot_parallel_coordinate(study)),
        ]
    return parts


def curves(study: Study) -> Figure:
    """A line for each trial."""
    from optuna import visualization as plots

    figure = plots.plot_intermediate_values(study)
    return figure.update_layout(xaxis_title="tenths of the training", yaxis_title="score so far", showlegend=False)


def section(heading: str, note: str, draw: Callable[[], Figure], first: bool) -> str:
    """A figure with its heading; the first brings the script that draws all of them."""
    figure = draw().update_layout(template="plotly_white", title=None, margin={"t": 40})
    config = {"displayModeBar": False, "responsive": True}
    drawn = figure.to_html(full_html=False, include_plotlyjs=first, config=config)
    for optunas, ours in (("Objective Value", "Score"), ("Best Value", "Best so far")):
        drawn = drawn.replace(optunas, ours)
    return f'<h2>{escaped(heading)}</h2>\n<p class="note">{escaped(note)}</p>\n{drawn}\n'


def compared(comparison: Comparison) -> Figure:
    """A point for each seed, beside mean and quartiles."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name in ("tuned", "default"):
        scores = getattr(comparison, name)
        figure.add_box(y=scores, name=name, boxpoints="all", boxmean=True, jitter=0.3, marker_color=COLORS[name])
    return figure.update_layout(yaxis_title="score", showlegend=False, height=380)


def escaped(value: Any) -> str:
    return html.escape(str(value))
