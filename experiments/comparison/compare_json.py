"""A comparison as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.comparison import importance, pareto
from experiments.comparison.compare import Comparison, Section

if TYPE_CHECKING:
  from experiments.comparison.evidence import GroupEvidence, SectionEvidence


def to_json(
  comparison: Comparison, evidence: Sequence[SectionEvidence] = ()
) -> dict[str, Any]:
  """Returns a comparison as JSON can hold it; a number that is NaN is null.

  Args:
    comparison: of any runs.
    evidence: of each section; none if that was not looked at.
  """

  def plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {
      name: value if math.isfinite(value) else None
      for name, value in values.items()
    }

  return {
    'objective': comparison.objective,
    'direction': 'minimize' if comparison.is_minimized else 'maximize',
    'second_objective': comparison.second_objective,
    'columns': comparison.columns,
    'runs': [
      {
        'name': run.name,
        'dataset': section.dataset,
        'split': section.split if run.fold is None else run.split,
        'bindings': {
          name: run.show_binding(name) for name in comparison.columns
        },
        'status': run.status,
        'steps': run.steps,
        'seconds': run.seconds,
        'metrics': plain(run.metrics),
        'error': run.error,
      }
      for section in comparison.sections
      for run in section.runs
    ],
    'groups': [
      {
        'dataset': section.dataset,
        'split': section.split,
        'runs': [run.name for run in group.runs],
        'means': plain(group.means),
        'standard_errors': plain(group.standard_errors),
        **(_evidence_json(evidence[i], j) if evidence else {}),
      }
      for i, section in enumerate(comparison.sections)
      for j, group in enumerate(section.groups)
    ],
    'sections': [
      {
        'dataset': section.dataset,
        'split': section.split,
        'pareto_front': [
          [run.name for run in section.groups[i].runs]
          for i in pareto.find_front(comparison, section.groups)
        ],
        'importance': importance.measure(comparison, section),
      }
      for section in comparison.sections
    ],
    'best': [
      _best_json(comparison, section, evidence[i] if evidence else None)
      for i, section in enumerate(comparison.sections)
    ],
  }


def _best_json(
  comparison: Comparison, section: Section, evidence: SectionEvidence | None
) -> dict[str, Any]:
  """Returns what is known of the best of a section beyond its row."""
  group = section.groups[0]
  choice = evidence and evidence.choice
  test = group.test_mean(comparison.objective)
  interval = evidence and evidence.on_test
  return {
    'dataset': section.dataset,
    'split': section.split,
    'runs': [run.name for run in group.runs],
    'best_of': choice.n_configs if choice else None,
    'expected': choice.expected if choice else None,
    'test_split': test and test.split,
    'test_mean': test and test.value,
    'test_interval': interval and [interval.low, interval.high],
  }


def _evidence_json(evidence: SectionEvidence, j: int) -> dict[str, Any]:
  """Returns what is known of the config of an index."""
  group: GroupEvidence = evidence.groups[j]
  return {
    'intervals': {
      name: [interval.low, interval.high]
      for name, interval in group.intervals.items()
    },
    'is_baseline': evidence.baseline == j,
    'differences': {
      name: {
        'value': contrast.difference.value,
        'interval': [contrast.difference.low, contrast.difference.high],
        'p_value': contrast.difference.p_value,
        'corrected_p_value': contrast.corrected_p_value,
        'smallest_difference': contrast.difference.smallest,
      }
      for name, contrast in group.contrasts.items()
    },
    'n_shared_examples': group.n_shared,
    'not_compared': group.reason or None,
  }
