"""What there is to run on: devices, threads, processes, CUDA graphs, and packages of extras."""
