"""Networks compiled to loops, for CPUs."""
