"""Ludus: reinforcement learning on games, each game one file of plain Python rules."""

__version__ = "0.1.0"
