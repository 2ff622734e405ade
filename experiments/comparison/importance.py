"""Which setting mattered: how much of a metric's variance each explains.

By the functional ANOVA of a random forest (Hutter et al. 2014, "An Efficient
Approach for Assessing Hyperparameter Importance"), as Optuna has it.
"""

from __future__ import annotations

import ast
import math

from experiments.comparison.compare import Comparison, Section
from experiments.foundation import plain_text

# Of fewer configs a forest learns nothing.
_LEAST_CONFIGS = 4
# Beyond this ratio numbers count by their logarithm.
_MOST_LINEAR = 10


def measure(comparison: Comparison, section: Section) -> dict[str, float]:
  """Returns the share of each binding that differs, the largest first.

  Args:
    comparison: that the section is of.
    section: the configs.

  Returns:
    Shares whose sum is 1; nothing where fewer than two bindings differ, where
    there are too few configs or all have one value, or without Optuna and
    scikit-learn.
  """
  groups = [
    group
    for group in section.groups
    if math.isfinite(group.means.get(comparison.objective, math.nan))
    and not group.runs[0].system
  ]
  columns = [
    name
    for name in section.columns
    if len({group.bindings.get(name) for group in groups}) > 1
  ]
  values = [group.means[comparison.objective] for group in groups]
  if len(columns) < 2 or len(groups) < _LEAST_CONFIGS or len(set(values)) < 2:
    return {}
  try:
    import optuna
    import sklearn.ensemble  # noqa: F401 (Optuna's forest is of it)
  except ImportError:
    return {}
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  texts = {
    name: [group.bindings.get(name, '') for group in groups] for name in columns
  }
  numbers = {name: _numbers(cells) for name, cells in texts.items()}
  distributions = {
    name: _distribution(numbers[name], texts[name]) for name in columns
  }
  study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
  for i, value in enumerate(values):
    study.add_trial(
      optuna.trial.create_trial(
        params={
          name: found[i] if (found := numbers[name]) else texts[name][i]
          for name in columns
        },
        distributions=distributions,
        value=value,
      )
    )
  return dict(
    optuna.importance.get_param_importances(
      study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
  )


def describe(comparison: Comparison, section: Section) -> list[str]:
  """Returns the shares in a sentence; nothing where none are known.

  Args:
    comparison: that the section is of.
    section: the configs.
  """
  found = measure(comparison, section)
  if not found:
    return []
  told = ', '.join(
    f'{plain_text.escape_line(name)} {share:.0%}'
    for name, share in found.items()
  )
  return [
    f'What {plain_text.escape_line(comparison.objective)} depends on here: '
    f'{told} of its variance.'
  ]


def _numbers(texts: list[str]) -> list[float]:
  """Returns values as numbers; nothing if one of them is none."""
  found = []
  for text in texts:
    try:
      value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
      return []
    if isinstance(value, bool) or not isinstance(value, int | float):
      return []
    found.append(float(value))
  return found


def _distribution(numbers: list[float], texts: list[str]):
  import optuna

  if not numbers:
    return optuna.distributions.CategoricalDistribution(sorted(set(texts)))
  low, high = min(numbers), max(numbers)
  is_log = low > 0 and high / low >= _MOST_LINEAR
  return optuna.distributions.FloatDistribution(low, high, log=is_log)
