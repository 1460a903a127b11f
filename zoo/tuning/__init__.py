"""Tuning of settings by Optuna: what is tried, a study that processes share, and a report of it."""
