"""Proximal policy optimization: read `ppo.py` first."""
