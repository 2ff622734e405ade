"""Gin-configured experiments in text classification on trax.

Importing this package costs nothing: TensorFlow, JAX and trax are imported by
the modules that use them, when they use them.
"""

__version__ = '0.1.0'
