"""Environments as tensors, rollout and replay buffers, returns."""
