"""Gin-configured experiments in text classification on trax.

Importing this package costs nothing: TensorFlow, JAX and trax are imported by
the modules that use them, when they use them.
"""

import pkgutil
from typing import TYPE_CHECKING, Any

__version__ = '0.1.0'

if TYPE_CHECKING:
  from experiments.api.runs import evaluate, load_config, train
  from experiments.api.tables import compare, sweep
  from experiments.api.text_classifier import load_classifier
  from experiments.foundation.errors import UserError
  from experiments.models import layers

__all__ = [
  'UserError',
  'compare',
  'evaluate',
  'layers',
  'load_classifier',
  'load_config',
  'sweep',
  'train',
]

# Where they are; see docs/python.md.
_HOMES = {
  'UserError': 'experiments.foundation.errors:UserError',
  'compare': 'experiments.api.tables:compare',
  'evaluate': 'experiments.api.runs:evaluate',
  'layers': 'experiments.models.layers',
  'load_classifier': 'experiments.api.text_classifier:load_classifier',
  'load_config': 'experiments.api.runs:load_config',
  'sweep': 'experiments.api.tables:sweep',
  'train': 'experiments.api.runs:train',
}


def __getattr__(name: str) -> Any:
  if name not in _HOMES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return pkgutil.resolve_name(_HOMES[name])


def __dir__() -> list[str]:
  return sorted([*globals(), *__all__])
