"""gin's state, which is the whole process's, lent to one config at a time.

gin keeps all bindings in globals of one module, for which it has no public way
to put them aside. This is the only module that exchanges them.
"""

import contextlib
import copy
import threading
from collections.abc import Iterator
from typing import Any

from experiments.config import configurables

# What `gin.clear_config` would clear.
_NAMES = (
  '_CONFIG',
  '_CONFIG_IS_LOCKED',
  '_IMPORTS',
  '_OPERATIVE_CONFIG',
  '_SINGLETONS',
)
_LOCK = threading.RLock()


class GinState:
  """The bindings of one config, in force where they are entered.

  Other configs of the process, a user's own bindings among them, are out of
  force meanwhile and come back unchanged. One thread at a time is let in; it
  may enter again.
  """

  def __init__(self, text: str):
    """Parses a config.

    Args:
      text: gin that has passed every check.
    """
    import gin

    configurables.register()
    self._values: dict[str, Any] = {
      '_CONFIG': {},
      '_CONFIG_IS_LOCKED': False,
      '_IMPORTS': set(),
      '_OPERATIVE_CONFIG': {},
      '_SINGLETONS': {},
    }
    with self.bound():
      gin.parse_config(text)

  @contextlib.contextmanager
  def bound(self) -> Iterator[None]:
    """Puts the bindings in force."""
    from gin import config

    with _LOCK:
      if config._CONFIG is self._values['_CONFIG']:
        yield  # They are in force already.
        return
      others = {name: getattr(config, name) for name in _NAMES}
      vars(config).update(self._values)
      try:
        yield
      finally:
        self._values = {name: getattr(config, name) for name in _NAMES}
        vars(config).update(others)


def look_up_binding(selector: str, parameter: str) -> Any:
  """Returns what gin gives a parameter now; None where it is not bound."""
  import gin

  values = gin.get_bindings(selector, resolve_references=False)
  # The copy of a reference is what it refers to, or what calling that returns.
  return copy.deepcopy(values.get(parameter))


def instance(configurable_or_instance: Any) -> Any:
  """Returns an object for what a config may name or make: @Adam, @Adam()."""
  value = configurable_or_instance
  is_function = isinstance(value, type) or (
    callable(value) and hasattr(value, '__wrapped__')
  )
  return value() if is_function else value
