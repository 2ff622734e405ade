"""What the code of a config's parts takes from gin, found by making them.

A reference can be followed without running anything. That a model calls
`tl.LayerNorm`, and leaves its epsilon to gin but gives its own mode, only its
code knows: so it is run once, on shapes alone, and gin is asked what it gave.
"""

import contextlib
import inspect
import sys
from collections.abc import Collection, Iterator, Mapping

from experiments.config.gin_state import GinState, instance, look_up_binding
from experiments.models import encoder_config

_TRAIN_TASK = 'trax.supervised.training.TrainTask'
_EVAL_TASK = 'trax.supervised.training.EvalTask'
_EXPERIMENT = 'experiments.experiment'

# (scope, selector) to parameters.
Taken = Mapping[tuple[str, str], Collection[str]]

# A batch that every model takes; the classes are as good as any.
_BATCH, _LENGTH, _N_CLASSES = 2, 8, 2


def find_taken(text: str) -> Taken:
  """Makes the parts of a config once, and sees what gin gives to whom.

  Args:
    text: `gin_config.Config.text` of a config that passes all other checks.

  Returns:
    By scope and full selector of each configurable that was called, the
    parameters that its caller left to gin.
  """
  import jax
  import numpy as np
  from trax import shapes

  from gin import config

  state = GinState(text)
  ids = np.zeros((_BATCH, _LENGTH), np.int32)
  key = jax.random.PRNGKey(0)
  with state.bound(), _forgetting_what_failed():
    instance(look_up_binding(_TRAIN_TASK, 'optimizer'))
    instance(look_up_binding(_TRAIN_TASK, 'loss_layer'))
    for metric in look_up_binding(_EVAL_TASK, 'metrics'):
      instance(metric)
    schedule = look_up_binding(_TRAIN_TASK, 'lr_schedule')
    if schedule is not None:
      instance(schedule)(1)
    make_model = look_up_binding(_EXPERIMENT, 'model')
    vocab_size = look_up_binding(_EXPERIMENT, 'vocab_size')
    # Which one changes nothing of what is left to gin.
    is_encoder = 'encoder' in inspect.signature(make_model).parameters
    encoder = {'encoder': encoder_config.SMALL} if is_encoder else {}
    for mode in ('train', 'eval'):
      model = make_model(
        vocab_size=vocab_size, n_classes=_N_CLASSES, mode=mode, **encoder
      )

      def run(ids, key, model=model):
        weights, state = model.init(shapes.signature(ids), key)
        return model.pure_fn(ids, weights, state, key)[0]

      jax.eval_shape(run, ids, key)
    return {
      called: frozenset(values)
      for called, values in config._OPERATIVE_CONFIG.items()
    }


@contextlib.contextmanager
def _forgetting_what_failed() -> Iterator[None]:
  """Lets gin forget what it gave to a call that raised an exception.

  trax's ConfigurableTransformerEncoder calls its attention as if it took all
  that the newest does, and after a TypeError again with all that it takes.
  """
  from gin import config

  reraise = config.utils.augment_exception_message_and_reraise

  def forget(error, message):
    # The frame is that of gin's wrapper of the configurable.
    sys._getframe(1).f_locals['op_cfg'].clear()
    reraise(error, message)

  config.utils.augment_exception_message_and_reraise = forget
  try:
    yield
  finally:
    config.utils.augment_exception_message_and_reraise = reraise
