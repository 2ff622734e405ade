"""What another value leaves without effect is refused by its name."""

import pytest

from experiments.config import gin_config, overrides, variants
from experiments.config.config_differences import find_differences
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT, Bad, assert_refused

BASE = str(ROOT / 'gin' / 'agnews.gin')
SCHEDULE = (
  'LR_SCHEDULE = @lr_schedules.constant sets the learning rate of each step. '
  'Bind LEARNING_RATE, or LR_SCHEDULE = None.'
)
UNUSED = 'is bound but nothing uses it:'

BAD = [
  *(
    Bad(
      f"--gin_bindings='Adam.learning_rate={rate}': Adam.learning_rate "
      f'{UNUSED} {SCHEDULE}',
      flags=[f'Adam.learning_rate={rate}'],
    )
    # The second is its default.
    for rate in ('0.3', '0.0001')
  ),
  Bad(
    f'gin/x.gin:4: Adam.learning_rate {UNUSED} {SCHEDULE}',
    text='Adam.learning_rate = 0.3\n',
  ),
  Bad(
    "--gin_bindings='slow/Adam.learning_rate=3': slow/Adam.learning_rate "
    f'{UNUSED} {SCHEDULE}',
    flags=['OPTIMIZER=@slow/Adam', 'slow/Adam.learning_rate=3'],
  ),
  Bad(
    f"--gin_bindings='LEARNING_RATE=0.1': macro LEARNING_RATE {UNUSED} it "
    'would give lr_schedules.constant.value, which is 0.3 by '
    "--gin_bindings='constant.value=0.3'.",
    flags=['LEARNING_RATE=0.1', 'constant.value=0.3'],
  ),
  Bad(
    f'gin/x.gin:4: macro LEARNING_RATE {UNUSED} it would give '
    'lr_schedules.constant.value, which is 0.3 by gin/x.gin:5.',
    text='LEARNING_RATE = 0.1\nconstant.value = 0.3\n',
  ),
  Bad(
    f"--gin_bindings='Adam.clip_grad_norm=2': Adam.clip_grad_norm {UNUSED} "
    'CLIP_GRAD_NORM = 1 takes its place. Bind one of them.',
    flags=['CLIP_GRAD_NORM=1', 'Adam.clip_grad_norm=2'],
  ),
  Bad(
    '--gin_bindings="VOCAB_DIR=\'x\'": macro VOCAB_DIR is bound but nothing '
    'uses it: it gives Tokenize.vocab_dir alone, and VOCAB_FILE = None builds '
    'a vocabulary. Bind VOCAB_FILE to the name of one.',
    flags=["VOCAB_DIR='x'"],
  ),
  Bad(
    '--gin_bindings="experiment.best_direction=\'minimize\'": '
    f'experiment.best_direction {UNUSED} experiment.best_metric = None keeps '
    'no best checkpoint. Bind it, e.g. experiment.best_metric = '
    "'metrics/Accuracy'.",
    flags=["experiment.best_direction='minimize'"],
  ),
  Bad(
    f"--gin_bindings='Adafactor.beta1=0.5': Adafactor.beta1 {UNUSED} "
    'Adafactor.do_momentum = False leaves it out.',
    flags=['OPTIMIZER=@Adafactor', 'Adafactor.beta1=0.5'],
  ),
  Bad(
    "--gin_bindings='multifactor.decay_factor=0.3': multifactor.decay_factor "
    f"{UNUSED} multifactor.factors = 'constant * linear_warmup * rsqrt_decay' "
    'does not ask for it; decay_every would.',
    flags=['LR_SCHEDULE=@multifactor', 'multifactor.decay_factor=0.3'],
  ),
]


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)


def check(*flags, gin_file=BASE, of_run=False):
  return gin_config.check(gin_config.parse([gin_file], flags), of_run=of_run)


@pytest.mark.parametrize(
  'flags',
  [
    ('Adam.learning_rate=0.3', 'LR_SCHEDULE=None'),
    ('Adam.clip_grad_norm=2',),
    ("experiment.best_metric='x'", "experiment.best_direction='minimize'"),
    ('OPTIMIZER=@Adafactor', 'Adafactor.do_momentum=True',
     'Adafactor.beta1=0.5'),
    ('LR_SCHEDULE=@multifactor', "multifactor.factors='decay_every'",
     'multifactor.decay_factor=0.25'),
  ],
)  # fmt: skip
def test_takes_it_where_nothing_overrides_it(flags):
  name, value = flags[-1 if 'Adam.l' not in flags[0] else 0].split('=')
  assert f'{name} = ' in check(*flags).text
  assert value.strip("'") in check(*flags).text


def test_what_base_gin_gives_in_any_case_is_no_mistake():
  text = check('Adam.learning_rate=%LEARNING_RATE').text
  assert text == check().text
  assert 'Adam.learning_rate = %LEARNING_RATE\n' in text


@pytest.mark.parametrize('flags', [(), ('constant.value=0.3',)])
def test_checking_a_text_gives_the_same_text(flags, tmp_path):
  text = check(*flags).text
  (tmp_path / 'config.gin').write_text(text)
  assert check(gin_file=str(tmp_path / 'config.gin')).text == text


def test_a_run_directory_of_before_still_does(tmp_path):
  """Its config.gin has what was accepted then, and had no effect."""
  new = check('constant.value=0.3').text
  old = new.replace('LR_SCHEDULE', 'LEARNING_RATE = 0.01\nLR_SCHEDULE', 1)
  old = old.replace('rate = 0.0001', 'rate = %LEARNING_RATE')
  assert find_differences(old, new) == []
  assert find_differences(old.replace('0.3', '0.2'), new) == [
    'lr_schedules.constant.value: 0.2 in the run directory, 0.3 now'
  ]
  (tmp_path / 'config.gin').write_text(old)
  gin_file = str(tmp_path / 'config.gin')
  assert check(gin_file=gin_file, of_run=True).text == new
  with pytest.raises(UserError, match=r'macro LEARNING_RATE is bound but'):
    check(gin_file=gin_file)


@pytest.mark.parametrize(
  ('common', 'name', 'good', 'bad'),
  [
    (
      ['LR_SCHEDULE=@multifactor', 'multifactor.decay_factor=0.3'],
      'multifactor.factors',
      "'constant * decay_every'",
      "'constant'",
    ),
    (
      ['OPTIMIZER=@Momentum', 'Momentum.nesterov=False'],
      'Momentum.mass',
      '0.5',
      '0',
    ),
  ],
)
def test_each_trial_of_a_sweep_is_refused_as_a_run_is(common, name, good, bad):
  trials = variants.Variants([BASE], common)
  alone = check(*common, f'{name} = {good}')
  assert trials.check([f'{name} = {good}']) == alone
  with pytest.raises(UserError) as expected:
    check(*common, f'{name} = {bad}')
  with pytest.raises(UserError) as caught:
    trials.check([f'{name} = {bad}'])
  assert str(caught.value) == str(expected.value)


def test_the_macros_that_feed_are_those_of_base_gin():
  base = (ROOT / 'gin' / 'base.gin').read_text()
  for override in overrides.OVERRIDES:
    last = override.selector.rpartition('.')[2] or 'Adam'
    if override.fed_by:
      assert f'{last}.{override.parameter} = %{override.fed_by}\n' in base
