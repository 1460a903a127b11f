"""Hardware: devices, threads, processes, CUDA graphs."""
