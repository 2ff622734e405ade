"""What --mode=predict does: from lines of text to lines of JSON."""

import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from experiments.backend import jax_setup
from experiments.config.experiment import BucketConfig, Experiment
from experiments.evaluation import inference
from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.pipeline import prediction, run_config, saved_model
from experiments.rundir import run_dir
from experiments.text import tokenization

# Enough for full batches, little enough for memory and for the first answer.
_LINES_AT_ONCE = 4096


def predict(output_dir: pathlib.Path, input_path: str) -> None:
  """Classifies texts; prints one JSON object a line, in the order of the input.

  The input holds one text a line, or JSON objects with a 'text', or with the
  text keys of the run's KEYS, which are joined as in training, and perhaps with
  an 'id', which is passed through. It is read as JSON if its name ends in
  .jsonl or its first line that is not empty starts with '{'. A line that cannot
  be classified is answered in its place with an 'error'.

  Args:
    output_dir: a run directory with a checkpoint.
    input_path: a file, or '-' for stdin.

  Raises:
    UserError: the directory or the file will not do, or some lines could not
      be classified; how many is in the message.
  """
  directory = run_dir.RunDir(output_dir).existing()
  experiment = run_config.load_experiment(directory)
  jax_setup.start_jax(cache_dir=cache.cache_dir())
  classifier, _ = saved_model.load_classifier(experiment, directory)
  vocabulary = tokenization.load_vocabulary(
    vocab_file=str(directory.vocabulary), lower_case=experiment.text.lower_case
  )
  labels = directory.read_run()['labels']
  text_keys = experiment.data.keys[:-1]
  n_lines = n_errors = 0
  with _open(input_path) as file:
    for lines in _chunks(file, _LINES_AT_ONCE):
      if not n_lines:
        is_json = _is_json(input_path, lines)
      answers = [_parse(line, is_json, text_keys) for line in lines]
      answer_texts(answers, experiment, classifier, vocabulary, labels)
      for answer in answers:
        print(json.dumps(answer, ensure_ascii=False))
        n_errors += 'error' in answer
      sys.stdout.flush()
      n_lines += len(lines)
  if n_errors:
    raise UserError(
      f'--input={input_path}: {n_errors} of {n_lines} lines could not be '
      "classified; their answers have an 'error'."
    )


def _open(path: str) -> BinaryIO:
  if path == '-':
    return sys.stdin.buffer
  try:
    return open(path, 'rb')
  except OSError as error:
    raise UserError(
      f'--input={path}: {error.strerror}. Give a file with one text a line, or '
      '- for stdin.'
    ) from error


def _chunks(file: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
  chunk: list[bytes] = []
  for line in file:
    chunk.append(line)
    if len(chunk) == size:
      yield chunk
      chunk = []
  if chunk:
    yield chunk


def _is_json(path: str, lines: list[bytes]) -> bool:
  first = next((line for line in lines if line.strip()), b'')
  return path.endswith('.jsonl') or first.lstrip().startswith(b'{')


def _parse(
  line: bytes, is_json: bool, text_keys: Sequence[str]
) -> dict[str, Any]:
  """Returns {'text': …} or {'error': …}, with the 'id' if there is one.

  Args:
    line: as it was read.
    is_json: whether it holds a JSON object.
    text_keys: which of its fields make up a text, if it has any of them;
      otherwise 'text' does.
  """
  try:
    decoded = line.decode('utf-8').strip()
  except UnicodeDecodeError as error:
    return {'error': f'not UTF-8: byte {error.start}'}
  if not decoded:
    return {'error': 'empty line'}
  if not is_json:
    return {'text': decoded}
  try:
    value = json.loads(decoded)
  except (ValueError, RecursionError) as error:
    return {'error': f'not JSON: {error}'}
  if not isinstance(value, dict):
    return {'error': 'not a JSON object'}
  answer = {'id': value['id']} if 'id' in value else {}
  names = text_keys if any(key in value for key in text_keys) else ['text']
  for name in names:
    if not isinstance(value.get(name), str):
      return {**answer, 'error': f'no {name!r} that is a string'}
  content = ' '.join(value[name] for name in names)
  if not content.strip():
    return {**answer, 'error': 'empty text'}
  return {**answer, 'text': content}


def answer_texts(
  answers: list[dict[str, Any]],
  experiment: Experiment,
  classifier: inference.Classifier,
  vocabulary: tokenization.Vocabulary,
  labels: Sequence[str],
) -> None:
  """Puts label, probabilities and tokens, or an error, where a text is.

  Args:
    answers: those with a 'text' lose it and get the rest.
    experiment: of the run.
    classifier: its model.
    vocabulary: its vocabulary.
    labels: the classes by name.
  """
  open_answers = [answer for answer in answers if 'text' in answer]
  found = prediction.classify(
    [answer.pop('text') for answer in open_answers],
    classifier=classifier,
    vocabulary=vocabulary,
    max_tokens=experiment.text.max_tokens,
  )
  # As lists at once: one by one NumPy would take half of a short text's time.
  kept = found.is_kept.tolist()
  best = (
    np.argmax(found.probabilities, axis=1).tolist()
    if any(kept)
    else [0] * len(kept)
  )
  columns = (kept, best, found.probabilities.tolist(), found.n_tokens.tolist())
  for answer, is_kept, best_class, row, n_tokens in zip(
    open_answers, *columns, strict=True
  ):
    if is_kept:
      answer['label'] = labels[best_class]
      answer['probabilities'] = dict(zip(labels, row, strict=True))
    else:
      answer['error'] = _wrong_length(n_tokens, experiment.buckets)
    answer['n_tokens'] = n_tokens


def _wrong_length(n_tokens: int, limits: BucketConfig) -> str:
  if n_tokens < limits.min_length:
    return f'{n_tokens} tokens, at least {limits.min_length} are needed'
  return f'{n_tokens} tokens, at most {limits.max_length} are taken'
