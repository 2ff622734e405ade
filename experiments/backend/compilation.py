"""Compiled programs, whose compilation and running a signal can cut short."""

import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

Tracing = Callable[[], contextlib.AbstractContextManager[None]]


# Between two looks whether an array is computed: a share of the time waited.
_LOOK_SHARE, _MOST_LOOK_SECONDS = 0.1, 0.02


class Program:
  """A function of arrays, compiled once for each kind of its arguments.

  It differs from `jax.jit` in this: several kinds can be compiled before they
  are needed, side by side, and XLA, which heeds no signal, works in threads of
  its own, so that the main thread can take one meanwhile. What is being
  compiled then is left to end by itself.
  """

  def __init__(
    self,
    jitted: Any,
    *,
    kind: Callable[..., Hashable],
    tracing: Tracing = contextlib.nullcontext,
  ):
    """Compiles nothing yet.

    Args:
      jitted: from `jax.jit`.
      kind: of the arguments of a call, what differs where another compilation
        is needed, such as the shape of one of them.
      tracing: entered while JAX calls the function.
    """
    self._jitted = jitted
    self._kind = kind
    self._tracing = tracing
    self._compiled: dict[Hashable, Callable] = {}

  def __call__(self, *args: Any) -> Any:
    """Calls the function; returns when what it returns is computed."""
    result = self.start(*args)
    wait_for(result)
    return result

  def start(self, *args: Any) -> Any:
    """Calls the function; returns before what it returns is computed."""
    kind = self._kind(*args)
    if kind not in self._compiled:
      self.compile([args])
    return self._compiled[kind](*args)

  def compile(self, many_args: Iterable[tuple[Any, ...]]) -> None:
    """Compiles what calls need and earlier ones did not.

    They are traced one after the other, and in the meantime compiled, or loaded
    from JAX's cache, side by side.

    Args:
      many_args: of each of the calls, what is like its arguments.
    """
    pool = concurrent.futures.ThreadPoolExecutor()
    futures: dict[Hashable, concurrent.futures.Future] = {}
    try:
      for args in many_args:
        kind = self._kind(*args)
        if kind not in self._compiled and kind not in futures:
          with self._tracing():
            lowered = self._jitted.lower(*args)
          futures[kind] = pool.submit(lowered.compile)
      for kind, future in futures.items():
        self._compiled[kind] = future.result()
    finally:
      pool.shutdown(wait=False, cancel_futures=True)


def wait_for(
  result: Any, while_waiting: Callable[[float], None] = lambda seconds: None
) -> None:
  """Waits until arrays are computed, and lets signals be heard meanwhile.

  JAX itself waits in C++, where Python calls no handler. What is being computed
  when a handler raises an exception is left to end by itself.

  Args:
    result: a tree of arrays of JAX.
    while_waiting: called now and then, with the seconds waited so far.
  """
  import jax

  start = time.monotonic()
  for array in jax.tree_util.tree_leaves(result):
    while not array.is_ready():
      seconds = time.monotonic() - start
      time.sleep(min(_LOOK_SHARE * seconds, _MOST_LOOK_SECONDS))
      while_waiting(seconds)
