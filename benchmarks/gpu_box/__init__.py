"""A GPU box in simulated time, on which policies of placement are compared: ``python3 -m benchmarks gpubox``."""
