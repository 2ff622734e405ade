"""Every target beside what was last measured, from benchmarks/results.

Usage:
  python -m benchmarks.summary

It prints a table, and writes it to benchmarks/results/summary.md.
"""

import json
from typing import Any, NamedTuple

from benchmarks import bench_import, measuring


class Line(NamedTuple):
  """A target, what was measured, and whether that is enough."""

  what: str
  target: str
  measured: str
  verdict: str


def _verdict(is_met: bool) -> str:
  return 'met' if is_met else 'MISSED'


def _train(results: dict[str, Any]) -> list[Line]:
  lines = {line['what']: line for line in results['table']}

  def times(what: str, words: str) -> Line:
    line = lines[what]
    return Line(
      words,
      f'at least {line["target"]:.0f} times',
      f'{line["times_better"]:.1f} times ({measuring.show(line["plain"])} and '
      f'{measuring.show(line["launcher"])})',
      _verdict(line['times_better'] >= line['target']),
    )

  def share(what: str, words: str, most: float) -> Line:
    line = lines[what]
    value = line['launcher'] / line['plain']
    return Line(
      words,
      f'at most {most}',
      f'{value:.2f} ({measuring.show(line["plain"])} and '
      f'{measuring.show(line["launcher"])})',
      _verdict(value <= most),
    )

  steps = f'{results["steps"]:,} steps'
  return [
    times('whole process, warm', f'{steps}, whole process (s), warm'),
    times('whole process, no token ids', f'{steps}, no token ids kept'),
    times('steps per second', 'steps per second after compilation'),
    share('start to first step', 'start to first step (s), evaluated', 0.3),
    share('peak memory', 'peak memory (MiB), warm', 1.0),
    share('peak memory, no token ids', 'peak memory, no token ids kept', 1.0),
  ]


def _accuracy(results: dict[str, Any]) -> list[Line]:
  means, errors = results['means'], results['standard_errors']
  least = -2 * results['standard_error_of_difference']
  n = len(results['accuracies']['launcher'])
  return [
    Line(
      f'exact test accuracy, mean of {n} seeds',
      'not below, within 2 standard errors',
      ', '.join(
        f'{name} {means[name]:.4f} ± {errors[name]:.4f}' for name in means
      ),
      _verdict(results['difference'] >= least),
    )
  ]


def _data(results: dict[str, Any]) -> list[Line]:
  rate = min(
    results['stream_examples_per_second'], results['runs_examples_per_second']
  )
  return [
    Line(
      'batches alone, examples/s',
      'at least 500,000',
      f'{rate:,.0f}',
      _verdict(rate >= 500_000),
    ),
    Line(
      f'token ids of {results["texts"]:,} texts, cold (s)',
      'at most 15',
      measuring.show(results['build_seconds']),
      _verdict(results['build_seconds'] <= 15),
    ),
    Line(
      'the same, warm (s)',
      'at most 0.2',
      measuring.show(results['open_seconds']),
      _verdict(results['open_seconds'] <= 0.2),
    ),
  ]


def _start(results: dict[str, Any]) -> list[Line]:
  lines = []
  for target, words in (
    (1, '--help, and a mistake that needs no registry (s)'),
    (5, "a mistake that only trax's registry can tell (s)"),
  ):
    slowest = max(
      line['seconds'] for line in results['table'] if line['target'] == target
    )
    lines.append(
      Line(
        words,
        f'under {target}',
        f'{measuring.show(slowest)}, the slowest',
        _verdict(slowest < target),
      )
    )
  return lines


def _peers(results: dict[str, Any]) -> list[Line]:
  lines = []
  for name, measured in results['to'].items():
    tools = {line['what']: line for line in measured['table']}
    for key, words in (
      ('train_seconds', 'training'),
      ('process_seconds', 'whole process'),
    ):
      # The best of each, as their users would choose.
      ours, theirs = (
        min(
          (
            line[key]
            for tool, line in tools.items()
            if tool.startswith(start) and line[key]
          ),
          default=float('inf'),
        )
        for start in ('launcher', 'EmbeddingBag')
      )
      shown = [
        f'{tool} {measuring.show(line[key]) or "never"}'
        for tool, line in tools.items()
      ]
      lines.append(
        Line(
          f'{words} (s) to {measured["accuracy"]:.3f} ({name})',
          'ahead of EmbeddingBag',
          '; '.join(shown),
          _verdict(ours < theirs),
        )
      )
  return lines


def _sweep(results: dict[str, Any]) -> list[Line]:
  lines = []
  if 'overhead' in results:
    beyond = results['overhead']['seconds_beyond_training']
    lines.append(
      Line(
        'a trial beyond its training, in a warm worker (s)',
        'at most 0.2',
        measuring.show(beyond),
        _verdict(beyond <= 0.2),
      )
    )
  seconds = results.get('grid', {})
  for name, words, most in (
    ('launcher', 'processes of the launcher', 0.6),
    ('plain', 'plain trax scripts', 0.12),
  ):
    if name not in seconds:
      continue
    share = seconds['sweep'] / seconds[name]
    lines.append(
      Line(
        f'a sweep of 18 trials, beside {words}',
        f'at most {most}',
        f'{share:.2f} ({measuring.show(seconds[name])} and '
        f'{measuring.show(seconds["sweep"])})',
        _verdict(share <= most),
      )
    )
  return lines


def _import(results: dict[str, Any]) -> list[Line]:
  lines = []
  for name in bench_import.FORMATS:
    ours = [
      line
      for line in results['table']
      if (line['what'], line['format']) == ('import', name)
    ]
    rate = bench_import.rate_of_most(ours)
    growth = bench_import.memory_growth(ours)
    n_most = max(line['rows'] for line in ours)
    lines += [
      Line(
        f'a {name} file of {n_most:,} rows becomes a data set, rows/s a core',
        f'at least {bench_import.LEAST_RATE:,.0f}',
        f'{rate:,.0f}',
        _verdict(rate >= bench_import.LEAST_RATE),
      ),
      Line(
        'the same, memory beyond that of the fewest rows (MiB)',
        f'at most {bench_import.MOST_GROWTH_MIB:.0f}',
        f'{growth:,.0f}',
        _verdict(growth <= bench_import.MOST_GROWTH_MIB),
      ),
    ]
  return lines


def _own_data(results: dict[str, Any]) -> list[Line]:
  return [
    Line(
      f'{name}, trained as --mode=prepare says: points behind an SVM',
      'at most 2',
      f'{100 * found["accuracy_behind_svm"]:.1f}',
      _verdict(found['accuracy_behind_svm'] <= 0.02),
    )
    for name, found in results['results'].items()
  ]


def _audit(results: dict[str, Any]) -> list[Line]:
  seconds = results['seconds']['first']
  return [
    Line(
      f'audit of {results["rows"]:,} rows, the first (s)',
      f'under {results["target_seconds"]}',
      measuring.show(seconds),
      _verdict(seconds < results['target_seconds']),
    )
  ]


def _scale(results: dict[str, Any]) -> list[Line]:
  few, many = results['plans']
  one, files = results['reads']
  grown = many['peak_rss_mib'] - few['peak_rss_mib']
  shown = f'{measuring.show(one["ours_seconds"])} for one file; TFDS '
  return [
    Line(
      f'a dry run of {many["trials"]:,} trials (s)',
      'at most 10',
      measuring.show(many['seconds']),
      _verdict(many['seconds'] <= 10),
    ),
    Line(
      f'the same, memory beyond that of {few["trials"]} (MiB)',
      'under 200',
      f'{grown:.0f}',
      _verdict(grown < 200),
    ),
    Line(
      f'the same rows read from {files["files"]:,} files (s)',
      'at most twice one file',
      f'{measuring.show(files["ours_seconds"])} ({shown}'
      f'{measuring.show(files["tfds_seconds"])})',
      _verdict(files['ours_seconds'] <= 2 * one['ours_seconds']),
    ),
    *(
      Line(
        f'Ctrl-C at {line["what"]} (s)',
        'at most 2',
        f'{measuring.show(line["slowest"])}, the slowest',
        _verdict(line['slowest'] <= 2),
      )
      for line in results['interrupts']
    ),
  ]


_PARTS = {
  'train': _train,
  'accuracy': _accuracy,
  'data': _data,
  'start': _start,
  'peers': _peers,
  'sweep': _sweep,
  'audit': _audit,
  'import': _import,
  'own_data': _own_data,
  'scale': _scale,
}


def main() -> None:
  """Reads the results, prints and writes the table."""
  lines: list[Line] = []
  where: dict[str, Any] = {}
  for name, make_lines in _PARTS.items():
    path = measuring.RESULTS / f'{name}.json'
    if path.exists():
      results = json.loads(path.read_text(encoding='utf-8-sig'))
      where = results['environment']
      lines += make_lines(results)
  if not lines:
    print('Nothing measured yet: make bench')
    return
  print()
  measuring.print_table(
    ('', 'target', 'measured', ''), [tuple(line) for line in lines]
  )
  table = ['| what | target | measured | |', '|---|---|---|---|']
  table += ['| ' + ' | '.join(line) + ' |' for line in lines]
  text = (
    f'{where["cores"]} cores of {where["cpu"]}, {where["memory_gib"]} GiB, '
    f'{where["date"][:10]}. Where two figures stand in brackets, the first is '
    'that of plain trax, or of what the line names.'
  )
  path = measuring.RESULTS / 'summary.md'
  path.write_text('\n'.join([text, '', *table]) + '\n', encoding='utf-8')


if __name__ == '__main__':
  main()
