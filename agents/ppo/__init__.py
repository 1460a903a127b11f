"""Proximal policy optimisation: read `ppo.py` first."""
