"""Data sets: those of TFDS, BBC News without a network, AG News from a file."""
