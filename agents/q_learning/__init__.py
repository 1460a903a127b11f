"""DQN and PQN: read `dqn.py` first."""
