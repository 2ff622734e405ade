"""What --mode=prepare does."""

from experiments.backend import tensorflow_start
from experiments.config import gin_config
from experiments.foundation.errors import UserError
from experiments.pipeline import experiment


def prepare(checked: gin_config.Config, source: str) -> None:
  """Imports a CSV copy of AG News as the data set that TFDS would make.

  Args:
    checked: the experiment, for its DATASET and DATA_DIR.
    source: the .tar.gz, or a directory with train.csv and test.csv.

  Raises:
    UserError: the config is for another data set, or the source will not do.
  """
  from experiments.datasets import ag_news

  gin_config.apply(checked)
  parameters = experiment.source_parameters()
  if parameters['name'].partition(':')[0] != 'ag_news_subset':
    raise UserError(
      f'--mode=prepare makes ag_news_subset, and DATASET is '
      f'{parameters["name"]!r}. Give --gin_file=gin/agnews.gin.'
    )
  tensorflow_start.import_tensorflow()
  imported = ag_news.prepare_ag_news(
    source_path=source, data_dir=parameters['data_dir']
  )
  print(f'Prepared: {imported.path}')
