"""Networks, distributions and optimisers in PyTorch."""
