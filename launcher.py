"""Trains and evaluates text classifiers from gin files.

  python launcher.py --gin_file=gin/bbc_news.gin

See README.md.
"""

import gc
import pathlib
import sys

from absl import flags

from experiments.commands import command_line, launcher_flags
from experiments.config import experiment, gin_config
from experiments.foundation import signals
from experiments.rundir import run_names

FLAGS = flags.FLAGS


def main() -> None:
  """Does what the flags say."""
  if FLAGS.version:
    command_line.print_versions()
    return
  launcher_flags.check_flags()
  # Imports and tracing make many objects that stay: 0.15 s less to look for
  # garbage among them.
  gc.set_threshold(20_000)
  if FLAGS.mode == 'eval':
    from experiments.commands import evaluate

    evaluate.evaluate(
      pathlib.Path(FLAGS.output_dir), allow_import=FLAGS.allow_import
    )
  elif FLAGS.mode == 'predict':
    from experiments.commands import predict

    predict.predict(
      pathlib.Path(FLAGS.output_dir),
      FLAGS.input,
      allow_import=FLAGS.allow_import,
    )
  elif FLAGS.mode == 'compare':
    from experiments.commands import compare_runs

    compare_runs.show(
      FLAGS.output_dir,
      FLAGS.objective,
      FLAGS.format,
      FLAGS.plots,
      FLAGS.top,
    )
  elif FLAGS.sweep:
    _sweep()
  else:
    _with_config()


def _with_config() -> None:
  config = gin_config.check(
    gin_config.parse(FLAGS.gin_file, FLAGS.gin_bindings, FLAGS.gin_search_paths)
  )
  output_dir = pathlib.Path(
    FLAGS.output_dir
    or run_names.default_output_dir(FLAGS.gin_file, dict(config.overrides))
  )
  resolved = experiment.resolve(config)
  with signals.held():
    from experiments.commands import dry_run, prepare, train
  if FLAGS.dry_run:
    dry_run.show(resolved, output_dir)
  elif FLAGS.mode == 'prepare':
    prepare.prepare(resolved, FLAGS.source)
  else:
    train.train(resolved, output_dir, trust_init_from=FLAGS.trust_init_from)


def _sweep() -> None:
  from experiments.sweeps import sweep

  is_done = sweep.sweep(
    FLAGS.sweep,
    gin_files=FLAGS.gin_file,
    gin_bindings=FLAGS.gin_bindings,
    gin_search_paths=FLAGS.gin_search_paths,
    output_dir=FLAGS.output_dir,
    jobs=FLAGS.jobs,
    retries=FLAGS.retries,
    dry_run=FLAGS.dry_run,
    search=FLAGS.search,
    n_trials=FLAGS.trials,
    executor=FLAGS.executor,
    ray_address=FLAGS.ray_address,
  )
  if not is_done:
    sys.exit(1)


def run() -> None:
  """Runs the command line to its exit status."""
  command_line.exit_with(command_line.run(main, __doc__))


if __name__ == '__main__':
  run()
