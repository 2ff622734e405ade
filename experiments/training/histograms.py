"""Histograms of weights and gradients, as training goes on.

They are counted when the model is evaluated, kept in the checkpoints and shown
in TensorBoard, so that a run which was killed and went on shows each of them
once, as an undisturbed run does.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from experiments.backend import layer_weights
from experiments.backend.compilation import Program, Tracing

# As many as TensorBoard's own summaries have.
_N_BINS = 30


class Histogram(NamedTuple):
  """How the values of an array are distributed.

  Attributes:
    step: training steps done when it was counted.
    tag: what TensorBoard shows it under, e.g. 'weights/2_Dense_4/0'.
    low: the smallest finite value; 0 where there is none.
    high: the largest.
    counts: number of finite values in each of the equal bins from low to high.
  """

  step: int
  tag: str
  low: float
  high: float
  counts: tuple[int, ...]


def count(values: np.ndarray, *, step: int, tag: str) -> Histogram:
  """Counts the values of an array; those that are not finite are left out.

  Args:
    values: of any float dtype and shape.
    step: see `Histogram`.
    tag: see `Histogram`.
  """
  values = np.asarray(values, np.float64).reshape(-1)
  values = values[np.isfinite(values)]
  if not len(values):
    return Histogram(step, tag, 0.0, 0.0, (0,) * _N_BINS)
  low, high = float(values.min()), float(values.max())
  if low == high:
    # As TensorBoard has it: all edges are the same, and the last bin counts.
    return Histogram(
      step, tag, low, high, (0,) * (_N_BINS - 1) + (len(values),)
    )
  counts, _ = np.histogram(values, _N_BINS, (low, high))
  return Histogram(step, tag, low, high, tuple(counts.tolist()))


class Histograms:
  """The histograms of one run, in the order in which they were counted."""

  def __init__(self) -> None:
    self._histograms: list[Histogram] = []

  def __iter__(self) -> Iterator[Histogram]:
    return iter(self._histograms)

  def __len__(self) -> int:
    return len(self._histograms)

  def since(self, position: int) -> list[Histogram]:
    """Returns those from a position on."""
    return self._histograms[position:]

  def extend(self, more: Iterable[Histogram]) -> None:
    """Adds some."""
    self._histograms += more

  def to_json(self) -> list[Any]:
    """Returns what JSON can hold, for a checkpoint."""
    return [list(histogram) for histogram in self._histograms]

  def restore(self, values: Iterable[Any]) -> None:
    """Makes them what `to_json` gave.

    Args:
      values: its result, as JSON gave it back.
    """
    self._histograms = [
      Histogram(step, tag, low, high, tuple(counts))
      for step, tag, low, high, counts in values
    ]


def count_all(model, weights, gradients, *, step: int) -> list[Histogram]:
  """Counts the weights of a model and their gradients.

  Args:
    model: the trax layer.
    weights: its tree of weights.
    gradients: the tree of their gradients.
    step: training steps done.
  """
  return [
    count(array, step=step, tag=f'{kind}/{name}')
    for kind, tree in (('weights', weights), ('gradients', gradients))
    for name, array in layer_weights.name_arrays(model, tree).items()
  ]


def gradients_program(
  model_with_loss, *, tracing: Tracing = contextlib.nullcontext
) -> Program:
  """Makes the compiled gradient of a training step that is not taken.

  Args:
    model_with_loss: an initialized trax layer that ends in a loss.
    tracing: entered while code of its layers runs.

  Returns:
    `gradients(weights, state, rng, batch) -> gradients`, where rng is the
    `update.TrainState`'s: what the next step computes, before its optimizer
    clips anything.
  """
  import jax
  from trax import fastmath

  backward = fastmath.grad(model_with_loss.pure_fn, argnums=1, has_aux=True)

  def gradients(weights, state, rng, batch):
    _, key = fastmath.random.split(rng)
    return backward(batch, weights, state, key)[0]

  return Program(jax.jit(gradients), kind=_shape_of_batch, tracing=tracing)


def _shape_of_batch(weights, state, rng, batch) -> tuple[int, ...]:
  del weights, state, rng
  return batch[0].shape
