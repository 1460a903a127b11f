"""Ways to train an encoder of pictures, by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ....envs import OptionError

if TYPE_CHECKING:  # it needs torch, which the command line does not load to name methods
    from ..method import Method

# The class of each, which is imported when it is asked for, and one line of help.
METHODS = {
    "planes": ("planes.Planes", "Supervised: the game's planes, at every cell."),
    "classify": ("classify.Classify", "Supervised: the class of an example from a data set."),
    "cloning": ("cloning.BehaviourCloning", "Supervised: the action that the game's heuristic would take."),
    "autoencoder": (
        "autoencoder.Autoencoder",
        "The colours of pictures, above all where they differ, by a linear decoder.",
    ),
    "st-dim": ("st_dim.STDIM", "Contrastive: which frame comes next, at every position (Anand et al. 2019)."),
    "latent": ("latent.LatentPrediction", "The features of the next frame, by the action (Schwarzer et al. 2021)."),
    "vae": ("vae.VAE", "Variational autoencoder (Kingma & Welling 2014)."),
}


def method_class(name: str) -> type[Method]:
    """The class of a method, such as "st-dim"."""
    if name not in METHODS:
        raise OptionError(f"there is no method {name!r}: choose from {', '.join(METHODS)}")
    module, _, title = METHODS[name][0].partition(".")
    return getattr(import_module(f".{module}", __name__), title)
