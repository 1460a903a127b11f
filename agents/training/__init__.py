"""What all algorithms share: the agent, the optimiser's step, finite checks, callbacks, evaluation."""
