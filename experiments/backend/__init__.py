"""trax, JAX and TensorFlow, started and mended."""
