"""From the rules of one game to many games: compilers, buffers, the simulator."""
