"""Forward passes: over a whole split, and over a user's texts."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.backend.compilation import Program, Tracing
from experiments.batching import batches
from experiments.evaluation import temperature as temperatures


def compile_forward(
  model,
  *,
  tracing: Tracing = contextlib.nullcontext,
) -> Program:
  """Makes the forward pass of a model, compiled for each shape of inputs.

  Args:
    model: trax layer from token ids to log-probabilities, mode 'eval'.
    tracing: entered while code of its layers runs.

  Returns:
    `forward(weights, state, inputs) -> log_probs` with inputs int32 [batch,
    length], 0 is padding, and log_probs float32 [batch, n_classes].
  """
  import jax

  def forward(weights, state, inputs):
    key = jax.random.PRNGKey(0)
    log_probs, _ = model.pure_fn(inputs, weights, state, key)
    return log_probs

  return Program(jax.jit(forward), kind=_shape_of_inputs, tracing=tracing)


def _shape_of_inputs(weights, state, inputs) -> tuple[int, ...]:
  del weights, state
  return inputs.shape


class Classifier:
  """A trained model, ready to be asked.

  Attributes:
    model: the trax layer.
    weights: its tree of weights.
    temperature: what its log-probabilities are divided by.
  """

  def __init__(
    self,
    model,
    *,
    forward: Callable,
    weights,
    state,
    boundaries: Sequence[int],
    batch_sizes: Sequence[int],
    min_length: int | None = None,
    max_length: int | None = None,
  ):
    """Compiles nothing yet.

    Args:
      model: trax layer from token ids to log-probabilities, mode 'eval'.
      forward: its forward pass, from `compile_forward`.
      weights: its weights.
      state: its state.
      boundaries: padded lengths of the buckets, as in training.
      batch_sizes: batch size of each bucket.
      min_length: shorter examples are left out; None keeps them.
      max_length: longer examples are left out; None keeps them.
    """
    self._forward, self.temperature = forward, 1.0
    self.model, self.weights, self._state = model, weights, state
    self._buckets: dict[str, Any] = {
      'boundaries': boundaries,
      'batch_sizes': batch_sizes,
      'min_length': min_length,
      'max_length': max_length,
    }

  @property
  def n_weights(self) -> int:
    """How many numbers the weights are."""
    import jax

    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(self.weights))

  def answer(self, inputs: np.ndarray) -> np.ndarray:
    """Returns log-probabilities float32 [batch, n_classes] of one batch.

    Args:
      inputs: token ids int32 [batch, length], 0 is padding.
    """
    log_probs = np.asarray(self._forward(self.weights, self._state, inputs))
    if self.temperature == 1:
      return log_probs
    return temperatures.rescale(log_probs, self.temperature)

  def at_temperature(self, temperature: float) -> 'Classifier':
    """Returns the same model at another temperature."""
    other = copy.copy(self)
    other.temperature = temperature
    return other

  def compile_buckets(self) -> Iterator[int]:
    """Yields the length of each bucket, once its forward pass is compiled.

    Whoever has time before the first text comes can answer it the sooner.
    """
    # Longer texts have programs of their own.
    for length, size in zip(
      self._buckets['boundaries'], self._buckets['batch_sizes'], strict=False
    ):
      self.answer(np.zeros((size, length), np.int32))
      yield length

  def log_probs(self, tokens) -> tuple[np.ndarray, np.ndarray]:
    """Classifies every example once.

    Args:
      tokens: `tokenization.Tokens`.

    Returns:
      log-probabilities float32 [n, n_classes] in the order of the examples, NaN
      where an example is left out for its length; and bool [n], True where it
      is kept.
    """
    n = len(tokens.labels)
    results: np.ndarray | None = None
    kept = np.zeros(n, bool)
    for inputs, _, _, indices in batches.single_pass(tokens, **self._buckets):
      rows = indices >= 0
      output = self.answer(inputs)
      if results is None:
        results = np.full((n, output.shape[1]), np.nan, np.float32)
      results[indices[rows]] = output[rows]
      kept[indices[rows]] = True
    if results is None:
      results = np.zeros((n, 0), np.float32)
    return results, kept
