"""Agents on disk, and the exchange with Stable-Baselines3's zip files."""
