"""What --mode=predict does: from lines of text to lines of JSON."""

import contextlib
import errno
import pathlib
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags

from experiments.commands import line_reader
from experiments.commands.questions import (
  Format,
  Question,
  find_format,
  read_question,
)
from experiments.foundation import cache, json_text, terminal
from experiments.foundation.errors import UserError
from experiments.foundation.regular_files import WrongKindError, open_regular
from experiments.pipeline import (
  asked_data,
  prediction,
  run_config,
  saved_model,
)
from experiments.rundir import run_dir

_HINTS = {
  Format.JSON: (
    '\nIts first line begins as a JSON object does, so each line is read as '
    'one. For a text that does, write {"text": "…"}.'
  ),
  Format.ARRAY: (
    "\nIt begins as a JSON array. Give an object a line, as jq -c '.[]' does."
  ),
}


def run(values: flags.FlagValues) -> None:
  """Does what `predict` or `predict_data` does, as the flags say.

  Args:
    values: the flags.

  Raises:
    UserError: as those.
  """
  terminal.keep_stdout_for_data()
  output_dir = pathlib.Path(values.output_dir)
  if values.input is None:
    predict_data(
      output_dir,
      split=values.split,
      gin_bindings=values.gin_bindings,
      allow_import=values.allow_import,
    )
  else:
    predict(output_dir, values.input, allow_import=values.allow_import)


def predict(
  output_dir: pathlib.Path, input_path: str, *, allow_import: Collection[str]
) -> None:
  """Classifies texts; prints one JSON object a line, in the order of the input.

  The input holds one text a line, or JSON objects with a 'text', or with the
  text keys of the run's KEYS, which are joined as in training, and perhaps with
  an 'id', which is passed through as it is; `find_format` tells which. A line
  that cannot be classified is answered in its place with an 'error'.

  Args:
    output_dir: a run directory with a checkpoint.
    input_path: a file, or '-' for stdin; of a stream, lines are answered as
      they come.
    allow_import: as --allow_import.

  Raises:
    UserError: the directory or the file will not do, or some lines could not
      be classified; how many is in the message.
  """
  directory = run_dir.RunDir(output_dir).existing()
  with _open(input_path) as descriptor:
    experiment = run_config.load_experiment(directory, allow_import)
    loaded = saved_model.load_run(
      experiment, directory, cache_dir=cache.cache_dir()
    )
    data = experiment.data
    n_lines = n_errors = n_misread = 0
    format_: Format | None = None
    for lines in line_reader.read_lines(
      descriptor, meanwhile=loaded.classifier.compile_buckets()
    ):
      format_ = format_ or find_format(input_path, lines)
      questions = [
        read_question(line, format_, data.keys[:-1], data.text_separator)
        for line in lines
      ]
      answers = answer(questions, loaded)
      terminal.print_data(''.join(map(render_answer, questions, answers)))
      n_lines += len(lines)
      n_errors += sum('error' in each for each in answers)
      n_misread += sum(each.is_misread for each in questions)
  if n_errors:
    hint = _HINTS[format_] if n_misread and format_ else ''
    raise UserError(
      f'--input={input_path}: {n_errors} of {n_lines} lines could not be '
      f"classified; their answers have an 'error'.{hint}"
    )


def predict_data(
  output_dir: pathlib.Path,
  *,
  split: str | None,
  gin_bindings: Sequence[str],
  allow_import: Collection[str],
) -> None:
  """Classifies the rows of a data set; prints a JSON object for each, in order.

  As `predict`, and with the class of the row as 'expected' where it has one: a
  file of the user's own may lack the column of KEYS.

  Args:
    output_dir: a run directory with a checkpoint.
    split: as --split.
    gin_bindings: as --gin_bindings.
    allow_import: as --allow_import.

  Raises:
    UserError: the directory or the data will not do, or some rows could not be
      classified; how many is in the message.
  """
  directory = run_dir.RunDir(output_dir).existing()
  experiment = run_config.load_experiment(directory, allow_import)
  asked = asked_data.read_asked(
    experiment, split=split, gin_bindings=gin_bindings
  )
  cache_dir = cache.cache_dir()
  rows = asked_data.open_rows(asked, cache_dir=cache_dir, needs_label=False)
  loaded = saved_model.load_run(experiment, directory, cache_dir=cache_dir)
  n_rows = n_errors = 0
  for batch in rows.batches:
    questions = [
      Question(None, each.text, each.bad.reason if each.bad else '')
      for each in batch
    ]
    answers = answer(questions, loaded)
    for each, found in zip(batch, answers, strict=True):
      if each.label:
        found['expected'] = each.label
    terminal.print_data(''.join(map(render_answer, questions, answers)))
    n_rows += len(batch)
    n_errors += sum('error' in each for each in answers)
  if n_errors:
    raise UserError(
      f'{rows.dataset}, {rows.split}: {n_errors} of {n_rows} rows could not be '
      "classified; their answers have an 'error'."
    )


def answer(
  questions: Sequence[Question], loaded: saved_model.LoadedRun
) -> list[dict[str, Any]]:
  """Answers each question with a label, its probabilities and its tokens.

  Args:
    questions: what is asked.
    loaded: the run that is asked.

  Returns:
    An answer to each, with an 'error' in place of label and probabilities where
    there is one; the label is None where its probability is below REJECT_BELOW.
  """
  experiment, labels = loaded.experiment, loaded.labels
  found = prediction.classify(
    [question.text for question in questions if not question.error],
    classifier=loaded.classifier,
    vocabulary=loaded.vocabulary,
    max_tokens=experiment.text.max_tokens,
  )
  failures = prediction.explain_failures(found, experiment.buckets)
  # As lists at once: one by one NumPy would take half of a short text's time.
  best = [0] * len(found.is_kept)
  if found.probabilities.size:
    best = np.argmax(found.probabilities, axis=1).tolist()
  rows = enumerate(
    zip(
      best, found.probabilities.tolist(), found.n_tokens.tolist(), strict=True
    )
  )
  answers: list[dict[str, Any]] = []
  for question in questions:
    if question.error:
      answers.append({'error': question.error})
      continue
    i, (best_class, row, n_tokens) = next(rows)
    result: dict[str, Any]
    if i in failures:
      result = {'error': failures[i]}
    else:
      is_rejected = row[best_class] < (experiment.evaluation.reject_below or 0)
      result = {
        'label': None if is_rejected else labels[best_class],
        'probabilities': dict(zip(labels, row, strict=True)),
      }
    answers.append({**result, 'n_tokens': n_tokens})
  return answers


def render_answer(question: Question, answer: dict[str, Any]) -> str:
  """Returns a line of JSON."""
  text = json_text.to_json(answer)
  if question.id is None:
    return text + '\n'
  return f'{{"id": {question.id}, {text[1:]}\n'


@contextlib.contextmanager
def _open(path: str) -> Iterator[int]:
  """Yields a descriptor to read from."""
  if path == '-':
    if sys.stdin is None:
      raise UserError(
        '--input=-: stdin is closed. Give a file, or texts to stdin.'
      )
    try:
      yield sys.stdin.fileno()
    except OSError as error:
      # `0>file`: a stdin that can be written only.
      if error.errno != errno.EBADF:
        raise
      raise _unreadable(path, error) from error
    return
  try:
    file = open_regular(path)
  except (WrongKindError, OSError) as error:
    raise _unreadable(path, error) from error
  with file:
    yield file.fileno()


def _unreadable(path: str, error: Exception) -> UserError:
  reason = error.strerror if isinstance(error, OSError) else str(error)
  reason = (reason or '').removeprefix(f'{path} ').rstrip('.')
  return UserError(
    f'--input={path}: {reason}. Give a file with one text a line, or - for '
    'stdin.'
  )
