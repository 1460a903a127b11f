"""What all algorithms share: the agent, the optimizer's step, finite checks, callbacks, evaluation."""
