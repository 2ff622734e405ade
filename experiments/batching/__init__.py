"""Buckets, the batch of every step, and the arrays of it."""
