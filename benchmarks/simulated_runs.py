"""Predictions of classifiers that were never trained, whose metrics are known.

A score of a class is a margin, if it is the right one, and noise: part of it
the example's own, which all models of an experiment share, the rest the seed's.
What is drawn is as correlated as real runs are, and what is true is known.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from experiments.comparison.sum_metrics import Metric

N_CLASSES = 4
# The accuracies that margins give, nearly.
MARGINS = {0.7: 1.53, 0.95: 2.95, 0.99: 3.85}
_SHARPNESS = 1.5

Run = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Classifiers that differ in their seed.

  Attributes:
    margin: by how much the right class leads, before noise.
    seed_spread: standard deviation, over seeds, of the logarithm of the margin.
    shared: share of the noise's variance that is the example's.
  """

  margin: float
  seed_spread: float = 0.0
  shared: float = 0.8

  def runs(
    self,
    generator: np.random.Generator,
    targets: np.ndarray,
    example_noise: np.ndarray,
    n_seeds: int,
  ) -> list[Run]:
    """Returns log-probabilities float32 [n, classes] and targets of each seed.

    Args:
      generator: of all that is drawn.
      targets: int [n].
      example_noise: float [n, classes], of variance 1.
      n_seeds: how many runs.
    """
    found = []
    right = np.eye(N_CLASSES)[targets]
    for _ in range(n_seeds):
      spread = self.seed_spread * generator.standard_normal()
      noise = generator.standard_normal(example_noise.shape)
      scores = _SHARPNESS * (
        self.margin * np.exp(spread) * right
        + np.sqrt(self.shared) * example_noise
        + np.sqrt(1 - self.shared) * noise
      )
      total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
      found.append(((scores - total).astype(np.float32), targets))
    return found

  def true_values(self, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Returns the metrics on endless examples, on average over seeds.

    From 100 seeds of 10,000 examples each; its error is a fiftieth of what 400
    examples have.
    """
    generator = np.random.default_rng(1)
    values: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(100):
      targets, noise = draw_examples(generator, 10_000)
      (run,) = self.runs(generator, targets, noise, 1)
      for name, metric in metrics.items():
        values[name].append(metric.of(*run))
    return {name: float(np.mean(each)) for name, each in values.items()}


def draw_examples(
  generator: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns targets int [n] and noise float [n, classes] of examples."""
  targets = generator.integers(N_CLASSES, size=n)
  return targets, generator.standard_normal((n, N_CLASSES))


def draw_pair(
  experiment: Experiment,
  generator: np.random.Generator,
  n_examples: int,
  n_seeds: int,
) -> tuple[list[Run], list[Run]]:
  """Draws two sets of runs that are equally good and err differently.

  Half of what is hard about an example is hard for both.

  Args:
    experiment: both are of this quality.
    generator: of all that is drawn.
    n_examples: rows of the split.
    n_seeds: runs of each.
  """
  targets, common = draw_examples(generator, n_examples)
  first, second = (
    experiment.runs(
      generator,
      targets,
      np.sqrt(0.5) * (common + generator.standard_normal(common.shape)),
      n_seeds,
    )
    for _ in range(2)
  )
  return first, second
