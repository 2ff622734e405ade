"""Hyper-parameters as TensorBoard compares them."""

import math

from experiments.reporting import hparams


def test_hparam_values():
  values = hparams.hparam_values(
    {
      'LEARNING_RATE': 0.01,
      'N_STEPS': 2000,
      'masked': True,
      'MODEL': '@mean_embedding',
      'VOCAB_FILE': None,
      'KEYS': ('text', 'label'),
      'BUCKET_BOUNDARIES': [32, 128],
      'bad': math.nan,
      'worse': -math.inf,
    }
  )
  assert values == {
    'LEARNING_RATE': 0.01,
    'N_STEPS': 2000.0,
    'masked': True,
    'MODEL': '@mean_embedding',
    'KEYS': "('text', 'label')",
    'BUCKET_BOUNDARIES': '[32, 128]',
  }
  assert values['masked'] is True
  assert isinstance(values['N_STEPS'], float)


def test_run_hparams_are_values_and_not_their_text():
  found = hparams.run_hparams(
    {
      'LEARNING_RATE': 0.003,
      'MODEL': '@mean_embedding',
      'N_STEPS': 2000,
      'DROPOUT': 0.5,
    },
    {
      'LEARNING_RATE': '0.003',
      'DROPOUT': '0.5',
      'Adam.b1': '0.8',
      'TrainTask.loss_layer': '@CrossEntropyLoss',
      'multifactor.factors': "'constant * linear_warmup'",
    },
  )
  assert found == {
    'LEARNING_RATE': 0.003,
    'MODEL': '@mean_embedding',
    'DROPOUT': 0.5,
    'Adam.b1': 0.8,
    'TrainTask.loss_layer': '@CrossEntropyLoss',
    'multifactor.factors': 'constant * linear_warmup',
  }


def test_the_hparams_of_a_trial_are_what_its_sweep_tries():
  macros = {'LEARNING_RATE': 0.003, 'SEED': 1, 'N_STEPS': 10, 'MODEL': '@mean'}
  overrides = {'N_STEPS': '10', 'LEARNING_RATE': '0.003', 'Adam.b1': '0.8'}
  names = ('LEARNING_RATE', 'Adam.b1')
  assert hparams.run_hparams(macros, overrides, names) == {
    'LEARNING_RATE': 0.003,
    'Adam.b1': 0.8,
  }
