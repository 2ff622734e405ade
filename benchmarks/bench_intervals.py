"""How often intervals hold and equal runs are called different, by simulation.

Usage:
  python -m benchmarks.bench_intervals [--pairs=1000] [--jobs=2]

Pairs of equally good experiments are drawn, with test splits of 100 and 400
rows, accuracies near 0.7, 0.95 and 0.99, 1 to 10 seeds of each, and seeds that
differ in luck alone or in quality too. Counted is how often the interval of
the first holds its true value, and how often the two are called different at
5 %. Beside it stands the bootstrap that draws seeds and examples with
replacement and takes quantiles. Then the best of 20 trials is measured anew.
"""

import itertools
import multiprocessing
from typing import Any, NamedTuple

import numpy as np

from benchmarks import measuring, simulated_runs
from experiments.comparison import evidence, resampling, sum_metrics

METRICS = {
  name: sum_metrics.METRICS[name]
  for name in ('accuracy', 'macro_f1', 'cross_entropy')
}
_N_DRAWS = 1000


class Case(NamedTuple):
  """A kind of pair of experiments."""

  accuracy: float
  n_examples: int
  n_seeds: int
  seed_spread: float


CASES = [
  Case(*values)
  for values in itertools.product(
    simulated_runs.MARGINS, (100, 400), (1, 3, 5, 10), (0.0, 0.05)
  )
  # Of one seed, what it adds cannot be told.
  if values[2] > 1 or not values[3]
]


def simulate(case: Case, n_pairs: int) -> dict[str, Any]:
  """Counts how often intervals hold and how often equals differ.

  Args:
    case: what is drawn.
    n_pairs: how often.

  Returns:
    'true', 'covered', 'plain_covered' and 'different', each a value by metric.
  """
  experiment = simulated_runs.Experiment(
    simulated_runs.MARGINS[case.accuracy], case.seed_spread
  )
  true = experiment.true_values(METRICS)
  generator = np.random.default_rng(abs(hash(case)) % 2**32)
  counts = {
    what: dict.fromkeys(METRICS, 0)
    for what in ('covered', 'plain_covered', 'different')
  }
  for i in range(n_pairs):
    first, second = simulated_runs.draw_pair(
      experiment, generator, case.n_examples, case.n_seeds
    )
    found = resampling.resample(
      METRICS, first + second, n_draws=_N_DRAWS, seed=i
    )
    for name, draws in found.items():
      own, other = (
        resampling.Draws(draws.observed[part], draws.drawn[:, part])
        for part in (slice(case.n_seeds), slice(case.n_seeds, None))
      )
      metric = METRICS[name]
      interval = evidence.interval_of(name, metric, first, own)
      low, high = plain_bootstrap(own.drawn, generator)
      p_value = evidence.difference_of(
        name, metric, (first, second), (own, other)
      ).p_value
      counts['covered'][name] += interval.low <= true[name] <= interval.high
      counts['plain_covered'][name] += low <= true[name] <= high
      counts['different'][name] += p_value < 0.05
  shares = {
    what: {name: n / n_pairs for name, n in each.items()}
    for what, each in counts.items()
  }
  return {'true': true, **shares}


def plain_bootstrap(
  drawn: np.ndarray, generator: np.random.Generator
) -> tuple[float, float]:
  """Returns quantiles of draws of examples and, with replacement, of seeds."""
  seeds = generator.integers(drawn.shape[1], size=drawn.shape)
  means = np.take_along_axis(drawn, seeds, axis=1).mean(axis=1)
  low, high = np.quantile(means, (0.025, 0.975))
  return float(low), float(high)


def simulate_winner(n_sweeps: int, n_trials: int = 20) -> dict[str, float]:
  """Chooses the best of trials, and looks how good it truly is.

  Args:
    n_sweeps: how often.
    n_trials: of each sweep; half of them are as good as each other, the rest a
      little worse.

  Returns:
    Means over sweeps of the accuracy of the best: 'measured', 'expected' when
    measured anew, and 'true'.
  """
  generator = np.random.default_rng(0)
  metrics = {'accuracy': METRICS['accuracy']}
  worse = [simulated_runs.Experiment(margin) for margin in (1.43, 1.48)]
  best = [simulated_runs.Experiment(1.53)] * (n_trials // 2)
  experiments = [*best, *itertools.islice(itertools.cycle(worse), n_trials)]
  experiments = experiments[:n_trials]
  true = {
    each: each.true_values(metrics)['accuracy'] for each in set(experiments)
  }
  rows = []
  for i in range(n_sweeps):
    targets, common = simulated_runs.draw_examples(generator, 400)
    runs = []
    for each in experiments:
      own = generator.standard_normal(common.shape)
      noise = np.sqrt(0.5) * (common + own)
      runs += each.runs(generator, targets, noise, 1)
    winner = resampling.measure_winner(
      METRICS['accuracy'],
      runs,
      [[j] for j in range(n_trials)],
      n_draws=200,
      seed=i,
    )
    rows.append(
      (winner.measured, winner.expected, true[experiments[winner.trial]])
    )
  measured, expected, truly = np.mean(rows, axis=0).tolist()
  return {'measured': measured, 'expected': expected, 'true': truly}


def _simulate(arguments: tuple[Case, int]) -> dict[str, Any]:
  return simulate(*arguments)


def main() -> None:
  """Parses flags, simulates, prints tables."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--pairs', type=int, default=1000)
  parser.add_argument('--jobs', type=int, default=2)
  args = parser.parse_args()

  where = measuring.begin('Intervals and tests, simulated')
  with multiprocessing.get_context('spawn').Pool(args.jobs) as pool:
    results = []
    for case, found in zip(
      CASES,
      pool.imap(_simulate, [(case, args.pairs) for case in CASES]),
      strict=True,
    ):
      results.append({**case._asdict(), **found})
      measuring.progress(f'{len(results)} of {len(CASES)}')
  figures: dict[str, Any] = {'pairs': args.pairs, 'cases': results}
  for what in ('covered', 'plain_covered', 'different'):
    print(f'\n{what.replace("_", ", ")}, % of {args.pairs} pairs')
    measuring.print_table(
      ['accuracy, rows, seeds, their spread', *METRICS],
      [
        [
          ', '.join(str(value) for value in case),
          *(f'{100 * found[what][name]:.1f}' for name in METRICS),
        ]
        for case, found in zip(CASES, results, strict=True)
      ],
    )
    figures[what] = {}
    for name in METRICS:
      values = [found[what][name] for found in results]
      figures[what][name] = {
        'mean': float(np.mean(values)),
        'least': min(values),
        'most': max(values),
      }
      print(
        f'{name}: {np.mean(values):.1%} on average, {min(values):.1%} to '
        f'{max(values):.1%}'
      )
  figures['winner'] = simulate_winner(args.pairs)
  print(f'\nThe best of 20: {figures["winner"]}')
  measuring.write_results('intervals', where, figures)


if __name__ == '__main__':
  main()
