"""How long it takes to be told what is wrong, or what there is.

Usage:
  python -m benchmarks.bench_start [--repeats=5]
"""

from benchmarks import measuring

GIN = '--gin_file=gin/bbc_news.gin'
# Arguments, exit status, and the most seconds it may take.
CASES: dict[str, tuple[list[str], int, float]] = {
  '--help': (['--help'], 0, 1.0),
  'an unknown flag': (['--gin_fil=x'], 2, 1.0),
  'a missing gin file': (['--gin_file=gin/no_such.gin'], 2, 1.0),
  'a misspelt macro': ([GIN, '--gin_bindings=LEARNIG_RATE=0.1'], 2, 1.0),
  'a value of the wrong type': ([GIN, "--gin_bindings=N_STEPS='ten'"], 2, 1.0),
  'a value out of range': ([GIN, '--gin_bindings=LEARNING_RATE=-1.0'], 2, 1.0),
  'not a run directory': (['--mode=eval', '--output_dir=gin'], 2, 1.0),
  'an unknown parameter': ([GIN, '--gin_bindings=Adam.b3=0.9'], 2, 5.0),
  'an unknown optimizer': ([GIN, '--gin_bindings=OPTIMIZER=@Adma'], 2, 5.0),
}


def main() -> None:
  """Parses flags, measures, prints a table."""
  parser = measuring.flag_parser(__doc__)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()

  where = measuring.begin('Seconds to an answer that needs no training')
  table: list[tuple[str, float, float, float]] = []
  for what, (arguments, status, most) in CASES.items():
    seconds = [
      measuring.launch(*arguments, status=status).seconds
      for _ in range(args.repeats)
    ]
    table.append((what, measuring.median(seconds), max(seconds), most))
  measuring.print_table(
    ('', 'median', 'worst', 'target', ''),
    [
      (what, median, worst, most, measuring.judge(-median, -most))
      for what, median, worst, most in table
    ],
  )
  keys = ('what', 'seconds', 'worst', 'target')
  lines = [dict(zip(keys, line, strict=True)) for line in table]
  measuring.write_results('start', where, {'table': lines})


if __name__ == '__main__':
  main()
