"""What this machine has for runs beside GPUs, and what of it is free: memory and cores."""
