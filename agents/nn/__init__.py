"""Networks, distributions and optimizers in PyTorch."""
