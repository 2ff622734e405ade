"""Training, evaluating and starting again, as a user does it."""

import datetime
import gzip
import io
import json
import math
import re
import shutil

import numpy as np

from experiments.evaluation import metrics
from experiments.foundation.directory import File
from experiments.rundir import predictions_file
from experiments.rundir.checkpoints import Checkpoints
from tests.fixtures import same_run

CLASSES = ['business', 'entertainment', 'politics', 'sports', 'tech']


def read_json(path):
  return json.loads(path.read_text())


def read_lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def weights(path):
  """Reads the weights as trax's `Layer.init_from_file` does."""
  with gzip.open(path / 'model.weights.npy.gz') as file:
    content = io.BytesIO(file.read())
  arrays = []
  while content.tell() < len(content.getvalue()):
    arrays.append(np.load(content, allow_pickle=False))
  return arrays


def test_run_directory_holds_what_is_documented(trained):
  path, _, _ = trained
  events = set(path.rglob('*tfevents*'))
  assert sorted(p.parent.relative_to(path).as_posix() for p in events) == [
    '.',
    'eval',
    'test',
    'train',
  ]
  files = {p for p in path.rglob('*') if p.is_file()} - events
  assert sorted(p.relative_to(path).as_posix() for p in files) == [
    '.lock',
    'checkpoints/step_0000000020.npz',
    'checkpoints/step_0000000030.npz',
    'config.gin',
    'metrics.jsonl',
    'model.pkl.gz',
    'model.weights.npy.gz',
    'plugins/org_tensorflow_tensorboard_projector/0_Embedding_1000_8.tensor',
    'plugins/org_tensorflow_tensorboard_projector/projector_config.pbtxt',
    'plugins/org_tensorflow_tensorboard_projector/tokens.tsv',
    'predictions/test.parquet',
    'report/accuracy_by_length.csv',
    'report/accuracy_by_length.png',
    'report/calibration.csv',
    'report/calibration.png',
    'report/confusion_matrix.csv',
    'report/confusion_matrix.png',
    'report/mistakes.html',
    'report/per_class.csv',
    'report/predictions.jsonl',
    'report/predictions.md',
    'run.json',
    'vocabulary.subword',
  ]


def test_run_json(trained):
  path, _, _ = trained
  run = read_json(path / 'run.json')
  start, end = (
    datetime.datetime.fromisoformat(run[k]) for k in ('start', 'end')
  )
  assert start.utcoffset() == datetime.timedelta(0)
  assert 0 < run['seconds'] <= (end - start).total_seconds() + 1
  assert run['versions']['trax'] == '1.4.1'
  assert run['git_commit'] is None or len(run['git_commit']) == 40
  expected = {
    'status': 'finished',
    'overrides': {},
    'seed': 0,
    'steps': 30,
    'error': None,
    'dataset': 'bbc_news:1.0.0',
    'splits': {'train': 'train', 'test': 'test'},
    'n_examples': {'train': 1701, 'test': 426},
    'labels': CLASSES,
  }
  assert {key: run[key] for key in expected} == expected
  evaluation = run['metrics']
  assert evaluation['n_examples'] + evaluation['n_dropped'] == 426
  assert sum(evaluation['support']) == evaluation['n_examples']


def test_every_field_of_run_json_is_documented(trained):
  path, _, _ = trained
  from experiments.rundir import run_record

  run = read_json(path / 'run.json')
  names = [*run, *run['metrics']]
  documented = set(re.findall(r'\w+', run_record.__doc__ or ''))
  assert set(names) <= documented
  assert set(run) <= set(run_record.RunRecord.__annotations__)
  assert set(run['metrics']) <= set(run_record.Metrics.__annotations__)


def test_metrics_jsonl(trained):
  path, _, _ = trained
  lines = read_lines(path / 'metrics.jsonl')
  assert {tuple(line) for line in lines} == {
    ('step', 'split', 'metric', 'value', 'time')
  }
  assert all(math.isfinite(line['value']) for line in lines)
  steps: dict[tuple[str, str], list[int]] = {}
  for line in lines:
    steps.setdefault((line['split'], line['metric']), []).append(line['step'])
  sampled = [1, 10, 20, 30]
  assert steps.pop(('eval', 'metrics/CrossEntropyLoss')) == sampled
  assert steps.pop(('eval', 'metrics/Accuracy')) == sampled
  for name in (
    'accuracy',
    'cross_entropy',
    'macro_f1',
    'expected_calibration_error',
  ):
    assert steps.pop(('test', f'exact/{name}')) == [30]
  assert ('train', 'training/learning_rate') in steps
  assert ('train', 'training/examples per second') in steps
  assert set(map(tuple, steps.values())) == {tuple(sampled)}


def test_results_are_on_stdout(trained):
  path, stdout, _ = trained
  run = read_json(path / 'run.json')
  lines = stdout.splitlines()
  assert lines[0].startswith(
    f'accuracy {run["metrics"]["accuracy"]:.4f}, '
    f'cross-entropy {run["metrics"]["cross_entropy"]:.4f}, '
  )
  assert [line.split()[0] for line in lines[3:8]] == CLASSES
  assert sum(line.startswith('expected ') for line in lines) == 5
  assert lines[-2:] == [
    'Run directory: runs/tiny/default',
    'TensorBoard:   tensorboard --logdir=runs/tiny',
  ]
  assert max(map(len, lines[1:])) <= 80


def test_stderr_of_a_first_run_holds_our_lines_only(trained, token_counts):
  """From preparing the data to the report: no library has a word in it."""
  _, _, stderr = trained
  n = {split: len(counts) for split, counts in token_counts.items()}
  n_long = {
    split: sum(count > 1200 for count in counts)
    for split, counts in token_counts.items()
  }
  ours = (
    'Preparing bbc_news in ',
    # Of another test, beside this one.
    'Waiting for another process that makes ',
    'Vocabulary of ',
    f'Tokenizing the {n["train"]} texts of ',
    f'Tokenized {n["train"]} texts of ',
    f'Tokenizing the {n["test"]} texts of ',
    f'Tokenized {n["test"]} texts of ',
    f'{n_long["train"]} of {n["train"]} train examples are outside of ',
    f'{n_long["test"]} of {n["test"]} test examples are outside of ',
    *(f'step {step} of 30, ' for step in range(1, 31)),
    f'{n_long["test"]} test examples are too long and left out',
    # It counts padding, of which short texts have up to 600 tokens.
    'Answers to short texts are not to be trusted: of 64 texts cut to 8 tokens',
  )
  lines = stderr.splitlines()
  assert not [line for line in lines if not line.startswith(ours)]
  assert lines[-1].startswith(ours[-1])


def test_config_gin_given_back_gives_the_same_run_bit_for_bit(
  launcher, trained, tmp_path
):
  path, stdout, _ = trained
  done = launcher(
    f'--gin_file={path}/config.gin', f'--output_dir={tmp_path}/again'
  )
  assert done.returncode == 0, done.stderr
  assert same_run.differences(tmp_path / 'again', path) == []
  assert done.stdout.splitlines()[:-2] == stdout.splitlines()[:-2]


def test_another_seed_gives_other_weights(trained, seed_1):
  path, other = trained[0], seed_1[0]
  for ours, theirs in zip(weights(path), weights(other), strict=True):
    assert ours.shape == theirs.shape
    assert not np.array_equal(ours, theirs)
  run = read_json(other / 'run.json')
  assert run['seed'] == 1
  assert run['overrides'] == {'SEED': '1'}


def test_a_finished_run_says_so(launcher, trained):
  path, stdout, _ = trained
  before = {p: p.stat().st_mtime_ns for p in path.rglob('*')}
  done = launcher('--gin_file=tiny.gin')
  assert done.returncode == 0
  assert done.stderr == ''
  assert done.stdout.splitlines() == [
    *stdout.splitlines()[:-3],
    '',
    'Finished before: runs/tiny/default. Nothing to do.',
  ]
  assert {p: p.stat().st_mtime_ns for p in path.rglob('*')} == before


def test_another_config_is_refused_and_each_difference_is_named(
  launcher, trained
):
  path, _, _ = trained
  before = {p: p.stat().st_mtime_ns for p in path.rglob('*')}
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=LEARNING_RATE=0.5',
    '--gin_bindings=OPTIMIZER=@Momentum',
    '--output_dir=runs/tiny/default',
  )
  assert done.returncode == 2
  assert done.stdout == ''
  lines = done.stderr.splitlines()
  assert lines[0] == (
    '--output_dir=runs/tiny/default holds a run with another config:'
  )
  assert '  LEARNING_RATE: 0.01 in the run directory, 0.5 now' in lines
  assert '  OPTIMIZER: @Adam in the run directory, @Momentum now' in lines
  assert lines[-1] == 'Choose another --output_dir, or remove this one.'
  assert {p: p.stat().st_mtime_ns for p in path.rglob('*')} == before


def test_eval_repeats_the_numbers_and_the_report(launcher, trained, tmp_path):
  path, stdout, _ = trained
  copy = tmp_path / 'copy'
  shutil.copytree(path, copy)
  shutil.rmtree(copy / 'report')
  # The old predictions count for nothing, whatever became of them.
  (copy / 'predictions' / 'test.parquet').write_bytes(b'PAR1')
  done = launcher('--mode=eval', f'--output_dir={copy}')
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines()[:-2] == stdout.splitlines()[:-3]
  assert done.stdout.splitlines()[-1] == (
    f'Evaluated at step 30: {copy}/report'
  )
  assert read_json(copy / 'run.json') == read_json(path / 'run.json')
  assert same_run.differences(copy, path) == []


def test_eval_of_what_is_no_run_is_refused(launcher, tmp_path):
  done = launcher('--mode=eval', f'--output_dir={tmp_path}')
  assert done.returncode == 2
  assert done.stderr == (
    f'--output_dir={tmp_path}: no run directory (it has no config.gin). Give '
    'the directory of a run, e.g. runs/agnews/default.\n'
  )


def test_a_trained_model_is_one_that_trax_reads(trained):
  path, _, _ = trained
  from experiments.backend import trax_repairs

  trax_repairs.import_trax()
  from experiments.models.classifiers import mean_embedding

  model = mean_embedding(vocab_size=1000, n_classes=5, d_feature=8)
  model.init_from_file(str(path / 'model.pkl.gz'))
  inputs = np.array([[5, 6, 7, 0], [8, 0, 0, 0]], np.int32)
  # By hand, from the arrays as they are in the file.
  embedding, kernel, bias = weights(path)
  logits = embedding[inputs].mean(axis=1) @ kernel + bias
  np.testing.assert_allclose(
    np.exp(model(inputs)),
    np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
    rtol=1e-5,
  )


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(launcher, tmp_path):
  path = tmp_path / 'run'
  done = launcher(
    '--gin_file=tiny.gin',
    '--gin_bindings=OPTIMIZER=@SGD',
    # From step 15 on 1e28.
    '--gin_bindings=LR_SCHEDULE=@multifactor',
    "--gin_bindings=multifactor.factors='constant * decay_every'",
    '--gin_bindings=multifactor.decay_factor=1e30',
    '--gin_bindings=multifactor.steps_per_decay=15',
    f'--output_dir={path}',
  )
  assert done.returncode == 2
  assert done.stdout == ''
  run = read_json(path / 'run.json')
  assert run['status'] == 'diverged'
  assert 15 < run['steps'] < 20
  last = done.stderr.splitlines()[-1]
  assert last == (
    f'The loss of step {run["steps"]} is nan. Lower LEARNING_RATE, or clip the '
    'gradients, e.g. CLIP_GRAD_NORM = 1.0.'
  )
  assert run['error'].endswith(last)
  assert 'metrics' not in run
  checkpoint = Checkpoints(path / 'checkpoints').load_newest()
  assert checkpoint is not None
  assert checkpoint.step == 10
  assert all(np.isfinite(leaf).all() for leaf in checkpoint.leaves)


def test_a_program_error_is_a_traceback_and_a_failed_run(launcher, tmp_path):
  (tmp_path / 'broken.py').write_text(
    'import gin\n\n'
    '@gin.configurable\n'
    'def broken(*, vocab_size, n_classes, mode):\n'
    "  raise RuntimeError('no such layer')\n"
  )
  (tmp_path / 'broken.gin').write_text(
    f"import broken\ninclude '{launcher.cwd}/tiny.gin'\nMODEL = @broken\n"
  )
  path = tmp_path / 'run'
  done = launcher(
    f'--gin_file={tmp_path}/broken.gin',
    f'--output_dir={path}',
    env={'PYTHONPATH': str(tmp_path)},
  )
  assert done.returncode == 1
  assert 'Traceback (most recent call last):' in done.stderr
  assert 'RuntimeError: no such layer' in done.stderr
  run = read_json(path / 'run.json')
  assert run['status'] == 'failed'
  assert 'no such layer' in run['error']
  assert run['steps'] == 0


def test_predictions_are_those_that_were_measured(trained):
  path, _, _ = trained
  run = read_json(path / 'run.json')
  found = predictions_file.read(File.at(path / 'predictions' / 'test.parquet'))
  assert (found.dataset, found.split) == (run['dataset'], 'test')
  assert list(found.labels) == run['labels']
  assert found.step == run['evaluated_step'] == 30
  assert len(found.rows) == run['metrics']['n_examples']
  assert found.rows[-1] < run['n_examples']['test']
  evaluation = metrics.evaluate_log_probs(
    log_probs=found.log_probs,
    targets=found.expected,
    label_names=found.labels,
    n_dropped=run['metrics']['n_dropped'],
  )
  assert evaluation.to_dict() == run['metrics']
  shown = [
    json.loads(line)
    for line in (path / 'report' / 'predictions.jsonl').read_text().splitlines()
  ]
  assert [found.labels[i] for i in found.expected[: len(shown)]] == [
    each['expected'] for each in shown
  ]
