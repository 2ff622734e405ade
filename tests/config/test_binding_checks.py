"""Bindings of configurables are checked against what trax has."""

import pytest

from experiments.config import gin_config
from experiments.foundation.errors import UserError
from tests.fixtures.config_cases import ROOT, Bad, assert_refused

BAD = [
  Bad(
    'gin/x.gin:5: macro MODEL must be a reference without brackets, such as '
    '@mean_embedding, not %my_constants.NAME.',
    before='import my_constants\n',
    text='MODEL = %my_constants.NAME\n',
    files={
      'my_constants.py': b"import gin\ngin.constant('my_constants.NAME', 'x')\n"
    },
  ),
  Bad(
    'gin/x.gin:4: experiment.patience needs a metric to improve. Bind it, e.g. '
    "experiment.best_metric = 'metrics/Accuracy'.",
    text='experiment.patience = 3\n',
  ),
  Bad(
    '--gin_bindings="CALIBRATION=\'temperature\'": macro CALIBRATION is fitted '
    "on a validation split, and SPLITS = ('train', 'test') has none. Name "
    "three, e.g. SPLITS = ('train[:90%]', 'train[90%:]', 'test').",
    flags=["CALIBRATION='temperature'"],
  ),
  Bad(
    "--gin_bindings='REJECT_BELOW=80': macro REJECT_BELOW must be a number "
    'from 0 to below 1, or None, not 80.',
    flags=['REJECT_BELOW=80'],
  ),
  Bad(
    "--gin_bindings='FOLD=7': macro FOLD is the number of a fold, and there "
    'are none. Bind N_FOLDS, too, e.g. N_FOLDS = 8.',
    flags=['FOLD=7'],
  ),
  Bad(
    'gin/x.gin:4: macro N_FOLDS holds one of 3 folds out. Bind FOLD, from 0 to '
    '2, or try all: --folds=3, without N_FOLDS.',
    text='N_FOLDS = 3\n',
  ),
  Bad(
    "--gin_bindings='FOLD=3': macro FOLD must be from 0 to 2, since N_FOLDS is "
    '3, not 3.',
    flags=['N_FOLDS=3', 'FOLD=3'],
  ),
  Bad(
    "--gin_bindings='experiment.n_folds=1': experiment.n_folds must be a whole "
    'number of at least 2, or None, not 1.',
    flags=['experiment.n_folds=1'],
  ),
  Bad(
    "--gin_bindings='experiment.patience=0': experiment.patience must be a "
    'whole number of at least 1, or None, not 0.',
    flags=['experiment.patience=0'],
  ),
  Bad(
    "--gin_bindings='EMA_DECAY=1': macro EMA_DECAY must be a number from 0 to "
    'below 1, or None, not 1.',
    flags=['EMA_DECAY=1'],
  ),
  Bad(
    "--gin_bindings='LABEL_SMOOTHING=1.0': macro LABEL_SMOOTHING must be a "
    'number from 0 to below 1, not 1.0.',
    flags=['LABEL_SMOOTHING=1.0'],
  ),
  Bad(
    "--gin_bindings='WEIGHT_DECAY=0.1': macro WEIGHT_DECAY is bound but "
    'nothing uses it: nothing in use refers to %WEIGHT_DECAY.',
    flags=['OPTIMIZER=@SGD', 'WEIGHT_DECAY=0.1'],
  ),
  Bad(
    'gin/x.gin:5: trax.optimizers.Adam.b1 is bound twice, first on line '
    '4. Keep one.',
    text='Adam.b1 = 0.8\ntrax.optimizers.Adam.b1 = 0.7\n',
  ),
  Bad(
    "--gin_bindings='EMBEDDING_SIZE=3': macro EMBEDDING_SIZE is bound "
    'but nothing uses it: it would give mean_embedding.d_feature, which is 4 '
    "by --gin_bindings='mean_embedding.d_feature=4'.",
    flags=['EMBEDDING_SIZE=3', 'mean_embedding.d_feature=4'],
  ),
  Bad(
    'gin/x.gin:4: macro WIDTH is bound but nothing uses it: nothing in '
    'use refers to %WIDTH.',
    text='WIDTH = 3\nAdafactor.beta1 = %WIDTH\n',
  ),
  Bad(
    "--gin_bindings='OPTIMIZER=@Adma': there is no configurable Adma. "
    'Did you mean Adam?',
    flags=['OPTIMIZER=@Adma'],
  ),
  Bad(
    "--gin_bindings='OPTIMIZER=@constant': macro OPTIMIZER must be an "
    'optimizer, not @lr_schedules.constant. There are @Adafactor, @Adam, '
    '@Momentum, @RMSProp, @SGD, @SM3.',
    flags=['OPTIMIZER=@constant'],
  ),
  Bad(
    "--gin_bindings='OPTIMIZER=@mean_embedding()': macro OPTIMIZER must "
    'be an optimizer, not @mean_embedding(). There are @Adafactor, '
    '@Adam, @Momentum, @RMSProp, @SGD, @SM3.',
    flags=['OPTIMIZER=@mean_embedding()'],
  ),
  Bad(
    "--gin_bindings='MODEL=@mean_embeding': there is no configurable "
    'mean_embeding. Did you mean mean_embedding?',
    flags=['MODEL=@mean_embeding'],
  ),
  Bad(
    "--gin_bindings='MODEL=@MLP': macro MODEL must be a function of "
    'vocab_size, n_classes and mode; @MLP does not take vocab_size and '
    'n_classes.',
    flags=['MODEL=@MLP'],
  ),
  Bad(
    "--gin_bindings='LR_SCHEDULE=@warmup': @warmup needs n_warmup_steps. "
    'Bind warmup.n_warmup_steps.',
    flags=['LR_SCHEDULE=@warmup'],
  ),
  Bad(
    "--gin_bindings='LR_SCHEDULE=@warm_up': there is no configurable "
    'warm_up. Did you mean warmup?',
    flags=['LR_SCHEDULE=@warm_up'],
  ),
  Bad(
    "--gin_bindings='Adm.b1=0.5': there is no configurable Adm. Did you "
    'mean Adam?',
    flags=['Adm.b1=0.5'],
  ),
  Bad(
    "--gin_bindings='Adam.b3=0.5': Adam has no parameter b3. It has "
    'learning_rate, weight_decay_rate, b1, b2, eps, clip_grad_norm.',
    flags=['Adam.b3=0.5'],
  ),
  Bad(
    "--gin_bindings='Adam.b1=1.5': Adam.b1 must be a number from 0 to "
    'below 1, not 1.5.',
    flags=['Adam.b1=1.5'],
  ),
  Bad(
    '--gin_bindings="Adam.b1=\'x\'": Adam.b1 must be a number from 0 to '
    "below 1, not 'x'.",
    flags=["Adam.b1='x'"],
  ),
  Bad(
    "--gin_bindings='Adam.eps=0': Adam.eps must be a finite number above "
    '0, not 0.',
    flags=['Adam.eps=0'],
  ),
  Bad(
    "--gin_bindings='SGD.b1=0.9': SGD has no parameter b1. It has "
    'learning_rate, clip_grad_norm.',
    flags=['SGD.b1=0.9'],
  ),
  Bad(
    "--gin_bindings='Momentum.mass=0.5': Momentum.mass is bound but "
    'nothing uses it: nothing in use refers to @Momentum.',
    flags=['Momentum.mass=0.5'],
  ),
  Bad(
    "--gin_bindings='warm/Adam.b1=0.5': warm/Adam.b1 is bound but "
    'nothing uses the scope warm: nothing refers to @warm/Adam.',
    flags=['warm/Adam.b1=0.5'],
  ),
  Bad(
    "--gin_bindings='BERTClassifierHead.n_classes=3': BERTClassifierHead "
    'is ambiguous. Write models.BERTClassifierHead or '
    'bert.BERTClassifierHead.',
    flags=['BERTClassifierHead.n_classes=3'],
  ),
  Bad(
    "--gin_bindings='MODEL=@BERTClassifierHead': BERTClassifierHead is "
    'ambiguous. Write models.BERTClassifierHead or '
    'bert.BERTClassifierHead.',
    flags=['MODEL=@BERTClassifierHead'],
  ),
  Bad(
    "--gin_bindings='TFDS.train=False': TFDS.train cannot be bound: "
    'SPLITS says what is read.',
    flags=['TFDS.train=False'],
  ),
  Bad(
    "--gin_bindings='TFDS.shuffle_train=False': TFDS.shuffle_train "
    'cannot be bound: SEED gives the order of the data.',
    flags=['TFDS.shuffle_train=False'],
  ),
  Bad(
    "--gin_bindings='TFDS.host_id=3': TFDS.host_id is bound but nothing "
    'uses it. Of TFDS the framework reads dataset_name, keys, data_dir.',
    flags=['TFDS.host_id=3'],
  ),
  Bad(
    "--gin_bindings='BucketByLength.length_keys=[1]': "
    'BucketByLength.length_keys cannot be bound: the length of the text '
    'counts.',
    flags=['BucketByLength.length_keys=[1]'],
  ),
  Bad(
    "--gin_bindings='TrainTask.labeled_data=None': "
    'TrainTask.labeled_data cannot be bound: it comes from DATASET.',
    flags=['TrainTask.labeled_data=None'],
  ),
  Bad(
    "--gin_bindings='mean_embedding.vocab_size=3': "
    'mean_embedding.vocab_size cannot be bound: VOCAB_SIZE gives it.',
    flags=['mean_embedding.vocab_size=3'],
  ),
  Bad(
    "--gin_bindings='mean_embedding.n_classes=3': "
    'mean_embedding.n_classes cannot be bound: the data set gives it.',
    flags=['mean_embedding.n_classes=3'],
  ),
  Bad(
    '--gin_bindings="mean_embedding.mode=\'eval\'": mean_embedding.mode '
    "cannot be bound: it is 'train' or 'eval' as the step needs.",
    flags=["mean_embedding.mode='eval'"],
  ),
  Bad(
    "--gin_bindings='mean_embedding.d_features=3': mean_embedding has no "
    'parameter d_features. Did you mean d_feature?',
    flags=['mean_embedding.d_features=3'],
  ),
  Bad(
    '--gin_bindings="mean_embedding.d_feature=\'wide\'": '
    'mean_embedding.d_feature must be a whole number of at least 1, not '
    "'wide'.",
    flags=["mean_embedding.d_feature='wide'"],
  ),
  Bad(
    "--gin_bindings='mean_embedding.d_feature=0': "
    'mean_embedding.d_feature must be a whole number of at least 1, not '
    '0.',
    flags=['mean_embedding.d_feature=0'],
  ),
  Bad(
    '--gin_bindings="Tokenize.vocab_type=\'char\'": Tokenize.vocab_type '
    "must be 'subword' or 'word', not 'char'.",
    flags=["Tokenize.vocab_type='char'"],
  ),
  Bad(
    "--gin_bindings='EvalTask.metrics=@Accuracy': EvalTask.metrics must "
    'be a list of references, such as [@CrossEntropyLoss, @Accuracy], '
    'not @Accuracy.',
    flags=['EvalTask.metrics=@Accuracy'],
  ),
  Bad(
    "--gin_bindings='EvalTask.metrics=[@Acuracy]': there is no "
    'configurable Acuracy. Did you mean Accuracy?',
    flags=['EvalTask.metrics=[@Acuracy]'],
  ),
  Bad(
    "--gin_bindings='EvalTask.n_eval_batches=0': EvalTask.n_eval_batches "
    'must be a whole number of at least 1, not 0.',
    flags=['EvalTask.n_eval_batches=0'],
  ),
  Bad(
    "--gin_bindings='TrainTask.n_steps_per_checkpoint=True': "
    'TrainTask.n_steps_per_checkpoint must be a whole number of at least '
    '1, not True.',
    flags=['TrainTask.n_steps_per_checkpoint=True'],
  ),
  Bad(
    "--gin_bindings='TrainTask.n_steps_per_permanent_checkpoint=5': "
    'TrainTask.n_steps_per_permanent_checkpoint is bound but nothing '
    'uses it. Of TrainTask the framework reads optimizer, loss_layer, '
    'lr_schedule, n_steps_per_checkpoint.',
    flags=['TrainTask.n_steps_per_permanent_checkpoint=5'],
  ),
  Bad(
    "--gin_bindings='FilterByLength.min_length=5000': "
    'FilterByLength.min_length must be at most '
    'FilterByLength.max_length, which is 2048, not 5000.',
    flags=['FilterByLength.min_length=5000'],
  ),
  Bad(
    "--gin_bindings='BucketByLength.boundaries=[64, 32]': "
    'BucketByLength.boundaries must be increasing whole numbers of at '
    'least 1, such as [32, 128], not [64, 32].',
    flags=['BucketByLength.boundaries=[64, 32]'],
  ),
  Bad(
    "--gin_bindings='BucketByLength.boundaries=[64]': BUCKET_BATCH_SIZES "
    'must have one value more than BucketByLength.boundaries, for what '
    'is longer than the last boundary; there are 5 and 1.',
    flags=['BucketByLength.boundaries=[64]'],
  ),
  Bad(
    "--gin_bindings='TransformerEncoder.dropout=0.2': "
    'TransformerEncoder.dropout is bound but nothing uses it: nothing in '
    'use refers to @TransformerEncoder.',
    flags=['TransformerEncoder.dropout=0.2'],
  ),
  Bad(
    "--gin_bindings='macro.value=3': there is no configurable macro. "
    'Import the module that registers it in the gin file.',
    flags=['macro.value=3'],
  ),
  Bad(
    "--gin_bindings='Momentum.nesterov=1': Momentum.nesterov is bound "
    'but nothing uses it: nothing in use refers to @Momentum.',
    flags=['Momentum.nesterov=1'],
  ),
  Bad(
    "--gin_bindings='Momentum.nesterov=1': Momentum.nesterov must be "
    'True or False, not 1.',
    flags=['OPTIMIZER=@Momentum', 'Momentum.nesterov=1'],
  ),
  Bad(
    '--gin_bindings="TransformerEncoder.mode=\'eval\'": '
    "TransformerEncoder.mode cannot be bound: it is 'train' or 'eval' as "
    'the step needs.',
    flags=['MODEL=@TransformerEncoder', "TransformerEncoder.mode='eval'"],
  ),
  Bad(
    "--gin_bindings='TransformerEncoder.dropout=1.0': "
    'TransformerEncoder.dropout must be a number from 0 to below 1, not '
    '1.0.',
    flags=['MODEL=@TransformerEncoder', 'TransformerEncoder.dropout=1.0'],
  ),
  Bad(
    '--gin_bindings="TransformerEncoder.ff_activation=\'relu\'": '
    'TransformerEncoder.ff_activation must be a reference, such as '
    "@Relu, or None, not 'relu'.",
    flags=[
      'MODEL=@TransformerEncoder',
      "TransformerEncoder.ff_activation='relu'",
    ],
  ),
  Bad(
    "--gin_bindings='slwo/Adam.b1=0.5': slwo/Adam.b1 is bound but "
    'nothing uses the scope slwo: nothing refers to @slwo/Adam. Did you '
    'mean slow?',
    flags=['OPTIMIZER=@slow/Adam', 'slwo/Adam.b1=0.5'],
  ),
  Bad(
    "--gin_bindings='slow/SGD.clip_grad_norm=0.5': "
    'slow/SGD.clip_grad_norm is bound but nothing uses it: nothing in '
    'use refers to @slow/SGD.',
    flags=['OPTIMIZER=@slow/Adam', 'slow/SGD.clip_grad_norm=0.5'],
  ),
  Bad(
    "--gin_bindings='Adam.b1=0.4': Adam.b1 is bound but nothing uses it: "
    'nothing in use refers to @Adam.',
    flags=['OPTIMIZER=@slow/Adam', 'slow/Adam.b1=0.5', 'Adam.b1=0.4'],
  ),
  Bad(
    'gin/x.gin:4: macro WIDTH, which gives mean_embedding.d_feature, '
    "must be a whole number of at least 1, not 'wide'.",
    text="WIDTH = 'wide'\nmean_embedding.d_feature = %WIDTH\n",
  ),
  Bad(
    'gin/x.gin: TFDS.keys is not bound. Include gin/base.gin, which '
    'binds all that is needed, or bind it.',
    files={
      'gin/x.gin': (
        b"DATASET = 'bbc_news'\n"
        b'TFDS.dataset_name = %DATASET\n'
        b'SEED=1\n'
        b'experiment.seed=%SEED\n'
      )
    },
  ),
  Bad(
    'gin/x.gin:1: module my_modles does not exist. It must be installed, '
    'or stand where PYTHONPATH leads.',
    before='import my_modles\n',
  ),
  Bad(
    'gin/x.gin:1: importing my_broken failed in <DIR>/my_broken.py:1: '
    'ZeroDivisionError: division by zero',
    before='import my_broken\n',
    files={'my_broken.py': b'X = 1 / 0\n'},
  ),
  Bad(
    'gin/x.gin:1: module not_there_at_all, which my_indirect imports, '
    'does not exist. It must be installed, or stand where PYTHONPATH '
    'leads.',
    before='import my_indirect\n',
    files={'my_indirect.py': b'import not_there_at_all\n'},
  ),
  Bad(
    'gin/x.gin:1: importing my_syntax failed in <DIR>/my_syntax.py:1: '
    'SyntaxError: invalid syntax',
    before='import my_syntax\n',
    files={'my_syntax.py': b'def f(:\n'},
  ),
  Bad(
    'gin/x.gin:5: %SEEED refers to a macro that is not bound. Did you '
    'mean %SEED?',
    text='SEED = %SEEED\n',
    before='import json\n',
  ),
  Bad(
    "--gin_bindings='BUCKET_BOUNDARIES=[100, 99, 98, 97, 96, 95, 94, 93, "
    "92, 91,…': macro BUCKET_BOUNDARIES must be increasing whole numbers "
    'of at least 1, such as [32, 128], not [100, 99, 98, 97, 96, 95, 94, '
    '93, 92, 91, 90, 89, 88, 87, 8….',
    flags=[
      'BUCKET_BOUNDARIES=[100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 90, 89, '
      '88, 87, 86, 85, 84, 83, 82, 81, 80, 79, 78, 77, 76, 75, 74, 73, 72, '
      '71, 70, 69, 68, 67, 66, 65, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, '
      '54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, '
      '37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, '
      '20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, '
      '1]'
    ],
  ),
  Bad(
    'gin/x.gin:5: there is no configurable Adm. Did you mean Adam?',
    text='Adm:\n  b1 = 0.5\n',
  ),
  Bad(
    'gin/x.gin:6: Adam has no parameter b9. It has learning_rate, '
    'weight_decay_rate, b1, b2, eps, clip_grad_norm.',
    text='Adam:\n  b1 = 0.5\n  b9 = 0.5\n',
  ),
]


ROLES = {
  'LR_SCHEDULE=@Adam': 'macro LR_SCHEDULE must be a learning rate schedule, '
  'not @Adam. There are @lr_schedules.constant, @multifactor, @warmup, ',
  'TrainTask.loss_layer=@L2Loss': 'TrainTask.loss_layer must be a loss, not '
  '@L2Loss. There are @CategoryCrossEntropy, @CrossEntropyLoss, ',
  'TrainTask.loss_layer=@Accuracy': 'TrainTask.loss_layer must be a loss, not '
  '@Accuracy. There are ',
  'EvalTask.metrics=[@Accuracy, @Adam]': 'EvalTask.metrics must be metrics, '
  'not @Adam. There are @Accuracy, @CategoryAccuracy, ',
  'MODEL=@PureLSHSelfAttentionWrapper': 'macro MODEL must be a function of '
  'vocab_size, n_classes and mode; @PureLSHSelfAttentionWrapper does not take ',
}


@pytest.mark.parametrize('flag', ROLES)
def test_names_what_can_have_a_role(flag):
  gin_file = str(ROOT / 'gin' / 'bbc_news.gin')
  with pytest.raises(UserError) as caught:
    gin_config.check(gin_config.parse([gin_file], [flag]))
  assert str(caught.value).startswith(f"--gin_bindings='{flag}': {ROLES[flag]}")


@pytest.mark.parametrize('case', BAD, ids=str)
def test_refuses(case, tmp_path, monkeypatch):
  assert_refused(case, tmp_path, monkeypatch)
