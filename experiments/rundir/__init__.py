"""A run directory on disk: names, lock, record, metric log, checkpoints."""
