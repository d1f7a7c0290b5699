"""What runs a branch: starting, keys, imports apart, the sweep, sealing, backup."""
