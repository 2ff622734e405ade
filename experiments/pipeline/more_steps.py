"""A run that is to take more steps than its config said before.

Where the number of steps is all that differs, the shorter run is the beginning
of the longer one, and its checkpoints are those of the longer one: but for the
last, if that was made only because there it ended. Where anything else is made
of the number, such as a learning rate that falls to 0 at the last step, the
longer run is another one from its first step on.
"""

import re
from typing import Any, NamedTuple

from experiments.config import config_text
from experiments.config.config_differences import find_differences
from experiments.config.experiment import Experiment
from experiments.foundation.errors import UserError
from experiments.rundir import checkpoints, run_dir
from experiments.training.events import Events

_MACRO, _PARAMETER = 'N_STEPS', 'experiment.n_steps'


class Added(NamedTuple):
  """How two configs differ that differ in their number of steps.

  Attributes:
    before: the smaller number.
    now: the larger number.
    dependent: a line for each other value that is made of it.
  """

  before: int
  now: int
  dependent: tuple[str, ...]


def find_added(old_text: str, new_text: str) -> Added | None:
  """Compares two configs.

  Args:
    old_text: `gin_config.Config.text`.
    new_text: likewise.

  Returns:
    What differs; None if it is something else than the number of steps, or the
    number is not larger.
  """
  old, new = map(config_text.read_bindings, (old_text, new_text))
  before, now = (_n_steps(each) for each in (old, new))
  if before is None or now is None or before >= now:
    return None
  if find_differences(_without(old_text), _without(new_text)):
    return None
  dependent = []
  for name, value in new.items():
    if '.' in name and name != _PARAMETER and name in old:
      was = config_text.resolve(old[name], old)
      is_now = config_text.resolve(value, new)
      if was != is_now:
        dependent.append(f'{name}: {was} in the run directory, {is_now} now')
  return Added(before, now, tuple(dependent))


def _n_steps(bindings: dict[str, str]) -> int | None:
  value = config_text.resolve(bindings.get(_PARAMETER, ''), bindings)
  return int(value) if re.fullmatch(r'\d+', value) else None


def _without(text: str) -> str:
  """Returns the text of a config without the number of steps."""
  return '\n'.join(
    line
    for line in text.splitlines()
    if line.partition(' = ')[0] not in (_MACRO, _PARAMETER)
  )


def check(directory: run_dir.RunDir, added: Added) -> None:
  """Checks that a run can go on to a later last step.

  Args:
    directory: of the run.
    added: what differs from what it was.

  Raises:
    UserError: its steps so far depend on which is the last.
  """
  if added.dependent:
    raise UserError(
      f'--output_dir={directory.path} holds a run of {added.before} steps, '
      f'which cannot go on to {added.now}: its first steps would have been '
      'others.\n'
      + '\n'.join(f'  {line}' for line in added.dependent)
      + '\nChoose another --output_dir to train anew, or to train its model '
      f'further: --gin_bindings="experiment.init_from={str(directory.path)!r}"'
    )


def usable_steps(
  directory: run_dir.RunDir, experiment: Experiment
) -> list[int]:
  """Returns the steps of the checkpoints that a run may go on from, ascending.

  Args:
    directory: of the run, perhaps of fewer steps, and perhaps empty.
    experiment: what it is to be.
  """
  steps = checkpoints.Checkpoints(directory.checkpoints).steps()
  if not _is_shorter(directory, experiment):
    return steps
  events = Events(
    experiment.optimization.n_steps, experiment.evaluation.every_n_steps
  )
  # Any other but the last may be where a signal has stopped the run.
  n_before = _n_steps(config_text.read_bindings(_read(directory)))
  return [step for step in steps if step != n_before or events.is_at(step)]


def prepare(directory: run_dir.RunDir, experiment: Experiment) -> None:
  """Removes the checkpoint that the longer run would not have made.

  Args:
    directory: of the run, locked.
    experiment: what it is to be; its config is not yet in the directory.
  """
  if not _is_shorter(directory, experiment):
    return
  # What is measured is measured of the model as it will be.
  no_metrics: dict[str, Any] = {'metrics': {}}
  if 'validation_metrics' in directory.read_run():
    no_metrics['validation_metrics'] = {}
  directory.write_run(status=run_dir.RUNNING, **no_metrics)
  usable = usable_steps(directory, experiment)
  checkpoints.Checkpoints(directory.checkpoints).remove_after(
    max(usable, default=0)
  )


def _is_shorter(directory: run_dir.RunDir, experiment: Experiment) -> bool:
  if not directory.config.is_file():
    return False
  return find_added(_read(directory), experiment.config.text) is not None


def _read(directory: run_dir.RunDir) -> str:
  return directory.config.read_text(encoding='utf-8-sig', errors='replace')
