"""Compiled programs, whose compilation a signal can cut short."""

import concurrent.futures
import contextlib
from collections.abc import Callable, Hashable, Iterable
from typing import Any

Tracing = Callable[[], contextlib.AbstractContextManager[None]]


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
