"""Names of run directories, made from what a run overrides.

A name shows the overrides without gin's marks and spaces: MODEL=gru_classifier
is `MODEL = @gru_classifier`, VOCAB_TYPE=word is `VOCAB_TYPE = 'word'`. It stays
as plain as that only if the overrides can be read back from it; every other
name ends in a hash of them. So different overrides have different names.

Every file system takes the characters of a name, and so does every page of
TensorBoard. Its projector asks for a run without escaping the name, which makes
a '+' a space: so 1e+30 is written 1e30.
"""

import hashlib
import pathlib
import re
from collections.abc import Mapping, Sequence

_LONGEST = 120
_DIGEST_LENGTH = 10
_UNSAFE = re.compile(r'[^A-Za-z0-9_.,=()\[\]-]')
_SPLIT = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.,%()\[\]-]{0,119}')
# Names in a run directory that a split could have as well.
_TAKEN = (
  'checkpoints',
  'eval',
  'evaluations',
  'plugins',
  'predictions',
  'report',
  'train',
)
_HASHED = re.compile(rf'.*-[0-9a-f]{{{_DIGEST_LENGTH}}}')
# What stands for a reference if it is a plain word. Of every other name a plain
# word is a string.
REFERENCES = frozenset(
  {
    'MODEL',
    'OPTIMIZER',
    'LR_SCHEDULE',
    'experiment.model',
    'EvalTask.metrics',
    'TrainTask.loss_layer',
    'TrainTask.lr_schedule',
    'TrainTask.optimizer',
  }
)
_MARKS = re.compile(r"""(?<=,) |['"@%]|(?<=\de)\+(?=\d)""")
_WORDS = re.compile(r'[^,()\[\]]+(?:\(\))?')
_FOLD = re.compile(
  rf'(?:experiment\.fold|FOLD)=\w+(?:,|$|.*-[0-9a-f]{{{_DIGEST_LENGTH}}}$)'
)
# The seed in a name, and with it what the name is hashed to.
_SEED = re.compile(
  rf'(?:experiment\.seed|SEED)=(\w+)(?:,|$|.*-[0-9a-f]{{{_DIGEST_LENGTH}}}$)'
)
_CONSTANTS = ('None', 'True', 'False')


def default_output_dir(
  gin_files: Sequence[str], overrides: Mapping[str, str]
) -> pathlib.Path:
  """Returns runs/<stem of the last gin file>/<overrides, or 'default'>.

  Args:
    gin_files: as given, at least one.
    overrides: gin text by binding.
  """
  stem = pathlib.Path(gin_files[-1]).stem
  return pathlib.Path('runs') / safe_name(stem) / run_name(overrides)


def run_name(overrides: Mapping[str, str]) -> str:
  """Returns the name of a run's directory.

  Args:
    overrides: gin text by binding.

  Returns:
    E.g. 'LEARNING_RATE=0.003,MODEL=gru_classifier', the same whatever the order
    of the overrides; 'default' for none.
  """
  if not overrides:
    return 'default'
  parts = [f'{name}={value}' for name, value in sorted(overrides.items())]
  return _name(
    ','.join(parts),
    _MARKS.sub('', ','.join(parts)),
    is_readable=all(
      _read_back(name, _MARKS.sub('', value)) == value
      for name, value in overrides.items()
    ),
  )


def without_seed(path: str) -> str:
  """Returns what runs that differ in seed or fold alone are called alike.

  Args:
    path: of a run, as 'agnews/LEARNING_RATE=0.1,SEED=2'.
  """
  return _SEED.sub('', _FOLD.sub('', path)).rstrip(',/')


def seed_of(path: str) -> str | None:
  """Returns the seed that a run's name has; None if it has none."""
  found = _SEED.search(path)
  return found and found[1]


def safe_name(text: str) -> str:
  """Returns a text as a name; different texts have different names."""
  return _name(text, text, is_readable=True)


def split_name(split: str) -> str:
  """Returns a name for what TensorBoard shows of an exact evaluation.

  Args:
    split: in TFDS's syntax, such as 'test' or 'train[80%:]'.

  Returns:
    The split, with two dots for a colon: 'train[80%..]'. It is not the name of
    anything else in a run directory.
  """
  name = split.replace(':', '..')
  if not _SPLIT.fullmatch(name):
    name = safe_name(name)
  return f'{name},exact' if name in _TAKEN else name


def _name(text: str, plain: str, *, is_readable: bool) -> str:
  """Returns a name for a text.

  Args:
    text: what is to be told apart.
    plain: what to show of it.
    is_readable: whether no other text has the same `plain`.
  """
  safe = _UNSAFE.sub('_', plain)
  if (
    is_readable
    and safe == plain
    and 0 < len(safe) <= _LONGEST
    and safe.strip('.') == safe
    and not _HASHED.fullmatch(safe)
  ):
    return safe
  digest = hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()
  shown = safe[: _LONGEST - 1 - _DIGEST_LENGTH].strip('.')
  return f'{shown}-{digest[:_DIGEST_LENGTH]}'


def _read_back(name: str, plain: str) -> str:
  """Returns the one gin text that a value without its marks stands for."""

  def mark(match: re.Match[str]) -> str:
    word = match[0]
    if word in _CONSTANTS:
      return word
    if _is_number(word):
      return re.sub(r'(?<=\de)(?=\d)', '+', word)
    if word.endswith('()') or name in REFERENCES:
      return f'@{word}'
    return repr(word)

  return re.sub(r',(?![)\]])', ', ', _WORDS.sub(mark, plain))


def _is_number(word: str) -> bool:
  try:
    float(word)
  except ValueError:
    return False
  return True
