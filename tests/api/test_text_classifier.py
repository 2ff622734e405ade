"""A run as a classifier: what predict answers, as arrays, from any thread."""

import concurrent.futures
import json

import numpy as np
import pytest

import experiments
from experiments.foundation.errors import UserError

TEXTS = [
  'The striker scored twice in the final.',
  'Parliament voted on the bill, and the minister resigned.',
  'Shares fell.',
]


@pytest.fixture(scope='module')
def in_process(launcher, trained, seed_1):
  with launcher.in_process():
    yield trained[0], seed_1[0]


@pytest.fixture(scope='module')
def classifier(in_process):
  return experiments.load_classifier(in_process[0])


def test_it_answers_as_predict_does_and_prints_nothing(
  classifier, launcher, trained, tmp_path, capfd
):
  (tmp_path / 'texts.txt').write_text('\n'.join(TEXTS))
  done = launcher(
    *('--mode=predict', f'--output_dir={trained[0]}'),
    f'--input={tmp_path}/texts.txt',
  )
  answers = [json.loads(line) for line in done.stdout.splitlines()]
  capfd.readouterr()
  labels, probabilities = classifier.predict(iter(TEXTS))
  assert tuple(capfd.readouterr()) == ('', '')
  assert labels.tolist() == [each['label'] for each in answers]
  assert classifier.classes_.tolist() == [*answers[0]['probabilities']]
  assert probabilities.dtype == np.float64
  np.testing.assert_array_equal(
    probabilities, [[*each['probabilities'].values()] for each in answers]
  )
  np.testing.assert_array_equal(
    probabilities, classifier.predict_proba(np.array(TEXTS).tolist())
  )
  assert classifier.predict_proba([]).shape == (0, 5)
  assert classifier.predict([]).labels.tolist() == []


def test_threads_and_other_classifiers_change_nothing(in_process, classifier):
  other = experiments.load_classifier(in_process[1])
  both = (classifier, other)
  alone = [each.predict_proba(TEXTS) for each in both]
  assert not np.array_equal(alone[0], alone[1])
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    asked = [
      (i % 2, pool.submit(both[i % 2].predict_proba, TEXTS)) for i in range(64)
    ]
    for which, future in asked:
      np.testing.assert_array_equal(future.result(), alone[which])


@pytest.mark.parametrize(
  ('texts', 'message'),
  [
    ('goal', 'texts must be several, such as a list; put one in [ ].'),
    (b'goal', 'texts must be several, such as a list; put one in [ ].'),
    (['goal', None], 'texts[1] must be a string, not NoneType.'),
    (
      ['goal', ' ', 'goal ' * 2000],
      '2 of 3 texts cannot be classified. texts[1]: empty text; texts[2]: ',
    ),
  ],
)
def test_what_cannot_be_classified_is_named(classifier, texts, message):
  with pytest.raises(UserError) as error:
    classifier.predict(texts)
  assert str(error.value).startswith(message)


def test_it_is_asked_while_another_thread_trains(
  in_process, classifier, tmp_path
):
  """And a call that has failed leaves nothing to the next."""
  del in_process
  with pytest.raises(UserError, match='LEARNIG_RATE'):
    experiments.load_config('tiny.gin', gin_bindings='LEARNIG_RATE = 1.0')
  before = classifier.predict_proba(TEXTS)
  config = experiments.load_config('tiny.gin', gin_bindings='SEED = 1')
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    training = pool.submit(experiments.train, config, tmp_path / 'run')
    while not training.done():
      np.testing.assert_array_equal(classifier.predict_proba(TEXTS), before)
  results = training.result()
  again = experiments.evaluate(tmp_path / 'run')
  assert again.evaluation.accuracy == results.evaluation.accuracy
  table = experiments.compare(tmp_path)
  assert table['accuracy'].to_pylist() == [results.evaluation.accuracy]
