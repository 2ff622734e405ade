import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import made_up, measuring, summary
from benchmarks.peers import first_step
from experiments.text import tokenization

BENCHMARKS = sorted(
  path.stem
  for path in pathlib.Path(measuring.__file__).parent.glob('bench_*.py')
)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_each_benchmark_says_how_it_is_used(name):
  done = subprocess.run(
    [sys.executable, '-m', f'benchmarks.{name}', '--help'],
    cwd=measuring.ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert f'python -m benchmarks.{name}' in done.stdout


def test_a_made_up_text_has_a_token_for_each_word(tmp_path):
  path = tmp_path / 'made_up.subword'
  words = made_up.write_vocabulary(path, 500)
  vocabulary = tokenization.load_vocabulary(vocab_file=str(path))
  assert vocabulary.size == 500
  texts = made_up.texts(50, words, seed=0)
  assert [len(vocabulary.encode(t)) for t in texts] == [
    len(t.split()) for t in texts
  ]


def test_a_process_is_measured_by_its_own_memory_and_time():
  held = 'x = bytearray(300 << 20); import time; time.sleep(0.2); print("{}")'
  finished = measuring.run([sys.executable, '-c', held])
  assert finished.peak_rss_mib > 300
  assert 0.2 < finished.seconds < 20
  assert finished.last_json() == {}


def test_a_process_that_fails_ends_the_measurement_with_its_own_words():
  with pytest.raises(RuntimeError, match=r'(?s)status 3, expected 0.*no good'):
    measuring.run(
      [
        sys.executable,
        '-c',
        'import sys; print("no good", file=sys.stderr); sys.exit(3)',
      ]
    )


@pytest.mark.parametrize(
  ('value', 'shown'),
  [
    (1208.4, '1,208'),
    (81.42, '81.4'),
    (6.604, '6.60'),
    (0.2555, '0.256'),
    (140, '140'),
    (None, ''),
    ('warm', 'warm'),
  ],
)
def test_numbers_are_shown_with_the_digits_that_count(value, shown):
  assert measuring.show(value) == shown


def test_the_search_for_an_accuracy_averages_over_padding():
  # Rows of 32: one token of class 1, and 31 paddings of class 0.
  test = {
    'ids': np.array([1, 1, 1]),
    'offsets': np.array([0, 1, 3]),
    'labels': np.array([0, 1]),
  }
  weights, bias = np.eye(2), np.zeros(2)

  def accuracy(strength, masked=False):
    # The means are [31, strength] / 32 and [30, 2 * strength] / 32.
    embedding = np.array([[1.0, 0.0], [0.0, strength]])
    return first_step.accuracy_of(
      [embedding, weights, bias], test, masked=masked
    )

  assert accuracy(10.0) == 0.5  # Both rows are taken for class 0.
  assert accuracy(20.0) == 1.0
  assert accuracy(40.0) == 0.5  # Both for class 1.
  assert accuracy(10.0, masked=True) == 0.5  # Without padding, too.


def test_the_summary_says_which_targets_are_met(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(measuring, 'RESULTS', tmp_path)
  summary.main()
  assert capsys.readouterr().out == 'Nothing measured yet: make bench\n'
  results = {
    'environment': {
      'cores': 2,
      'cpu': 'a CPU',
      'memory_gib': 8.0,
      'date': '2026-01-02T03',
    },
    'table': [
      {'what': '--help', 'seconds': 0.25, 'target': 1.0},
      {'what': 'a misspelt macro', 'seconds': 1.25, 'target': 1.0},
      {'what': 'an unknown parameter', 'seconds': 2.5, 'target': 5.0},
    ],
  }
  (tmp_path / 'start.json').write_text(json.dumps(results))
  summary.main()
  assert (tmp_path / 'summary.md').read_text().splitlines()[-2:] == [
    '| --help, and a mistake that needs no registry (s) | under 1 | 1.25, the '
    'slowest | MISSED |',
    "| a mistake that only trax's registry can tell (s) | under 5 | 2.50, the "
    'slowest | met |',
  ]


def test_the_summary_says_which_data_sets_are_too_far_behind(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(measuring, 'RESULTS', tmp_path)
  where = {'cores': 2, 'cpu': 'a CPU', 'memory_gib': 8.0, 'date': '2026-01-02'}
  behind = {'near': 0.02, 'ahead': -0.0123, 'far': 0.021}
  results = {n: {'accuracy_behind_svm': value} for n, value in behind.items()}
  (tmp_path / 'own_data.json').write_text(
    json.dumps({'environment': where, 'results': results})
  )
  summary.main()
  assert [
    line.split()[-2:] for line in capsys.readouterr().out.splitlines()[2:]
  ] == [['2.0', 'met'], ['-1.2', 'met'], ['2.1', 'MISSED']]


def test_the_summary_judges_imports_by_the_largest_file(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(measuring, 'RESULTS', tmp_path)
  where = {'cores': 2, 'cpu': 'a CPU', 'memory_gib': 8.0, 'date': '2026-01-02'}
  measured = {'csv': (49_000.0, 300.0), 'jsonl': (60_000.0, 401.0)}
  table = [
    {
      'what': 'import',
      'format': name,
      'rows': n_rows,
      'rows_per_cpu_second': rate if n_rows == 50 else 1.0,
      'peak_rss_mib': peak if n_rows == 50 else 300.0,
    }
    for name, (rate, peak) in {**measured, 'parquet': (5e4, 299.0)}.items()
    for n_rows in (50, 10)
  ]
  # Others are not held to it.
  table.append({**table[0], 'what': 'pandas', 'rows_per_cpu_second': 1.0})
  (tmp_path / 'import.json').write_text(
    json.dumps({'environment': where, 'table': table})
  )
  summary.main()
  assert [
    line.split()[-2:] for line in capsys.readouterr().out.splitlines()[2:]
  ] == [
    ['49,000', 'MISSED'],
    ['0', 'met'],
    ['60,000', 'met'],
    ['101', 'MISSED'],
    ['50,000', 'met'],
    ['0', 'met'],
  ]
