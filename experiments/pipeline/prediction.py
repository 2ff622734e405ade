"""Predictions: from a run directory and lines of text to lines of JSON."""

import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from experiments.backend import jax_setup
from experiments.evaluation import inference
from experiments.foundation import cache
from experiments.foundation.errors import UserError
from experiments.pipeline import experiment, run_config, saved_model
from experiments.reporting import report
from experiments.rundir import run_dir
from experiments.text import tokenization
from experiments.training import programs

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
  run_config.apply_config(directory)
  jax_setup.start_jax(cache_dir=cache.cache_dir())
  classifier, _ = load_classifier(directory)
  vocabulary = experiment.run_vocabulary(directory.vocabulary)
  labels = directory.read_run()['labels']
  text_keys = experiment.source_parameters()['keys'][:-1]
  n_lines = n_errors = 0
  with _open(input_path) as file:
    for lines in _chunks(file, _LINES_AT_ONCE):
      if not n_lines:
        is_json = _is_json(input_path, lines)
      parsed = [_parse(line, is_json, text_keys) for line in lines]
      _classify(parsed, classifier, vocabulary, labels)
      for answer in parsed:
        answer.pop('text', None)
        print(json.dumps(answer, ensure_ascii=False))
        n_errors += 'error' in answer
      sys.stdout.flush()
      n_lines += len(lines)
  if n_errors:
    raise UserError(
      f'--input={input_path}: {n_errors} of {n_lines} lines could not be '
      "classified; their answers have an 'error'."
    )


def load_classifier(
  directory: run_dir.RunDir,
) -> tuple[inference.Classifier, int]:
  """Loads the model of a run, whose config is applied.

  Args:
    directory: a run directory.

  Returns:
    The classifier, and the step of its checkpoint.

  Raises:
    UserError: there is no checkpoint, or it does not fit the model.
  """
  saved = saved_model.load(directory)
  model = experiment.make_model(
    n_classes=len(directory.read_run()['labels']), mode='eval'
  )
  weights, state = map(
    saved_model.fill,
    programs.kept('signatures', lambda: experiment.signatures(model)),
    (saved.weights, saved.state),
  )
  if weights is None or state is None:
    raise UserError(
      f'The checkpoint in {directory.checkpoints} does not fit the model: the '
      'code of the model has changed since it was trained.'
    )
  classifier = inference.Classifier(
    model, weights=weights, state=state, **experiment.buckets()
  )
  return classifier, saved.step


def describe(
  *,
  text: str,
  log_probs: np.ndarray,
  label_names: Sequence[str],
  n_tokens: int,
  expected: str | None = None,
) -> report.Prediction:
  """Names a row of log-probabilities.

  Args:
    text: the text.
    log_probs: float32 [n_classes].
    label_names: the classes by name.
    n_tokens: number of token ids of the text.
    expected: the class by name, if it is known.
  """
  return report.Prediction(
    text=text,
    expected=expected,
    label=label_names[int(np.argmax(log_probs))],
    probabilities=dict(
      zip(label_names, _probabilities(log_probs).tolist(), strict=True)
    ),
    n_tokens=n_tokens,
  )


def _probabilities(log_probs: np.ndarray) -> np.ndarray:
  """Returns float64 [..., n_classes], whose rows sum to 1.

  Args:
    log_probs: float32 [..., n_classes].
  """
  probabilities = np.exp(log_probs.astype(np.float64))
  # What float32 rounded off.
  return probabilities / probabilities.sum(axis=-1, keepdims=True)


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


def _classify(
  answers: list[dict[str, Any]],
  classifier: inference.Classifier,
  vocabulary: tokenization.Vocabulary,
  labels: Sequence[str],
) -> None:
  """Adds label, probabilities and tokens, or an error, to each with a text."""
  open_answers = [answer for answer in answers if 'text' in answer]
  texts = [answer['text'] for answer in open_answers]
  tokens = experiment.cut(tokenization.tokens_of(texts, vocabulary))
  log_probs, kept = classifier.log_probs(tokens)
  rows = np.flatnonzero(kept).tolist()
  found: dict[int, tuple[int, list[float]]] = {}
  if rows:
    # All at once: NumPy's overhead would be half of the time of a short text.
    best = np.argmax(log_probs[rows], axis=1).tolist()
    probabilities = _probabilities(log_probs[rows]).tolist()
    found = dict(zip(rows, zip(best, probabilities, strict=True), strict=True))
  lengths = tokens.lengths.tolist()
  for i, answer in enumerate(open_answers):
    if i in found:
      best_class, row = found[i]
      answer['label'] = labels[best_class]
      answer['probabilities'] = dict(zip(labels, row, strict=True))
    else:
      answer['error'] = _wrong_length(lengths[i])
    answer['n_tokens'] = lengths[i]


def _wrong_length(n_tokens: int) -> str:
  limits = experiment.buckets()
  if n_tokens < (limits['min_length'] or 0):
    return f'{n_tokens} tokens, at least {limits["min_length"]} are needed'
  return f'{n_tokens} tokens, at most {limits["max_length"]} are taken'
