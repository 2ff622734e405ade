"""Gin-configured experiments in text classification on trax.

Importing this package costs nothing: TensorFlow, JAX and trax are imported by
the modules that use them, when they use them.
"""

import importlib

__version__ = '0.1.0'

# What `from experiments import …` offers, and where it is.
_API = {'layers': 'experiments.models.layers'}


def __getattr__(name: str):
  if name not in _API:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(_API[name])
