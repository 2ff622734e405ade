"""Exact test accuracy after as many steps, by the launcher and by plain trax.

Usage:
  python -m benchmarks.bench_accuracy [--seeds=5] [--steps=2000]

Both count every example of the test split once, padded as its bucket is. Each
seed is a seed of weights and of the order of the data.
"""

import statistics

from benchmarks import bench_train, measuring, workload


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--seeds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=2000)
  workload.add_flags(parser)
  args = parser.parse_args()

  where = measuring.begin('Exact test accuracy')
  work = workload.open_workload(args)
  own = measuring.ROOT / 'benchmarks' / 'plain_trax.py'
  accuracies: dict[str, list[float]] = {'plain trax': [], 'launcher': []}
  rates: dict[str, list[float]] = {'plain trax': [], 'launcher': []}
  for seed in range(args.seeds):
    plain = bench_train.plain_figures(
      work, own, args.steps, f'--seed={seed}', '--exact'
    )
    output_dir = work.output_dir(f'seed_{seed}')
    work.train(output_dir, N_STEPS=args.steps, SEED=seed)
    accuracies['plain trax'].append(plain['test_accuracy'])
    accuracies['launcher'].append(workload.test_accuracy(output_dir))
    rates['plain trax'] += plain['steps_per_second_between_evals'][2:]
    rates['launcher'] += [
      record['value']
      for record in measuring.records(
        output_dir, 'train', 'training/steps per second'
      )[2:]
    ]
    measuring.progress(
      f'seed {seed}: {plain["test_accuracy"]:.4f}, '
      + f'{accuracies["launcher"][-1]:.4f}'
    )

  means = {name: statistics.mean(values) for name, values in accuracies.items()}
  errors = {k: measuring.standard_error(v) for k, v in accuracies.items()}
  difference = means['launcher'] - means['plain trax']
  error = sum(value**2 for value in errors.values()) ** 0.5
  print(f'{args.steps} steps on {workload.describe(work)}, {args.seeds} seeds')
  measuring.print_table(
    ('', 'mean', 'standard error', 'least', 'most'),
    [
      (
        name,
        *(
          f'{value:.4f}'
          for value in (means[name], errors[name], min(values), max(values))
        ),
      )
      for name, values in accuracies.items()
    ],
  )
  verdict = 'met' if difference >= -2 * error else 'MISSED'
  print(
    f'launcher - plain trax: {difference:+.4f}, standard error {error:.4f}; '
    f'not below within two of them: {verdict}'
  )
  figures = {
    'data': work.name,
    'steps': args.steps,
    'accuracies': accuracies,
    'means': means,
    'standard_errors': errors,
    'difference': difference,
    'standard_error_of_difference': error,
  }
  if all(rates.values()):
    # trax's own figure for both, which leaves evaluations out.
    figures['steps_per_second'] = {
      name: measuring.median(values) for name, values in rates.items()
    }
  measuring.write_results('accuracy', where, figures)


if __name__ == '__main__':
  main()
