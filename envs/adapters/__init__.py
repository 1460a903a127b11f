"""Games as environments of Gymnasium, Stable-Baselines3 and PettingZoo."""
