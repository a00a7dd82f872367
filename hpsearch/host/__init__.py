"""What this machine says and does: processes, the kernel, GPUs, git, locks, signals."""
