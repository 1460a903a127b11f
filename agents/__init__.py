"""Agents: algorithms with Stable-Baselines3's interface, on simulators that own tensors."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.agents: install Ludus (pip install .) and import ludus.agents")
