"""What --mode=prepare does."""

from absl import flags

from experiments.backend import tensorflow_start
from experiments.commands.experiment_flags import read_experiment
from experiments.config.experiment import Experiment
from experiments.foundation.errors import UserError


def run(values: flags.FlagValues) -> None:
  """Does what `prepare`, or `prepare_file`, does, as the flags say.

  Args:
    values: the flags.

  Raises:
    UserError: as `prepare` or `prepare_file`, or the config does not pass the
      checks.
  """
  if not values.gin_file:
    if values.gin_search_paths:
      raise UserError(
        '--gin_search_paths has no effect without --gin_file. Leave it out.'
      )
    from experiments.commands.prepare_file import prepare_file

    prepare_file(values.source, values.gin_bindings)
    return
  experiment, _ = read_experiment(values)
  prepare(experiment, values.source)


def prepare(experiment: Experiment, source: str) -> None:
  """Imports a CSV copy of AG News as the data set that TFDS would make.

  Args:
    experiment: only its DATASET and DATA_DIR count.
    source: the .tar.gz, or a directory with train.csv and test.csv.

  Raises:
    UserError: the config is for another data set, or the source will not do.
  """
  from experiments.datasets import ag_news, ag_news_csv

  if experiment.data.name.partition(':')[0] != 'ag_news_subset':
    raise UserError(
      f'--mode=prepare makes ag_news_subset, and DATASET is '
      f'{experiment.data.name!r}. Give --gin_file=gin/agnews.gin.'
    )
  tensorflow_start.import_tensorflow()
  imported = ag_news.prepare_ag_news(
    source_path=source, data_dir=experiment.data.data_dir
  )
  print(f'Prepared: {imported.path}')
  print(f'Rows: {_counts(imported.n_examples)}')
  if imported.n_examples != ag_news_csv.PUBLISHED:
    print(
      f'The published AG News has {_counts(ag_news_csv.PUBLISHED)}: what is '
      'measured on these rows cannot be compared with what is published.'
    )


def _counts(n_examples: dict[str, int]) -> str:
  return ' and '.join(f'{n:,} {split}' for split, n in n_examples.items())
