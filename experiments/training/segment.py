"""What has happened in training since the last evaluation."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Segment(NamedTuple):
  """The steps since the last evaluation; speed is that of this process's.

  Attributes:
    losses: arrays float32 [some steps], together those of all the steps.
    norms: of the last step, by name; float32 [] each.
    n_steps: how many of the steps this process has done.
    n_examples: how many examples those were.
    seconds: how long they took.
  """

  losses: tuple[np.ndarray, ...] = ()
  norms: Mapping[str, Any] = {}
  n_steps: int = 0
  n_examples: int = 0
  seconds: float = 0.0

  def extend(self, losses: np.ndarray, *, n_examples: int) -> 'Segment':
    """Returns it with some steps more.

    Args:
      losses: float32 [steps], of these.
      n_examples: that they were on.
    """
    return self._replace(
      losses=(*self.losses, losses),
      n_steps=self.n_steps + len(losses),
      n_examples=self.n_examples + n_examples,
    )

  def all_losses(self) -> np.ndarray:
    """Returns the losses as one array, float32 [steps]."""
    return np.concatenate([np.zeros(0, np.float32), *self.losses])

  def loss(self) -> float:
    """Returns the mean of the losses."""
    return float(np.mean(self.all_losses(), dtype=np.float64))

  def summary(self) -> dict[str, float]:
    """Returns what is recorded of it beside the loss, by name."""
    return {
      'steps per second': self.n_steps / self.seconds,
      'examples per second': self.n_examples / self.seconds,
      **{name: float(norm) for name, norm in self.norms.items()},
    }

  def to_json(self) -> dict[str, Any]:
    """Returns what JSON can hold, without the losses."""
    return {
      'norms': {name: float(norm) for name, norm in self.norms.items()},
      'n_steps': self.n_steps,
      'n_examples': self.n_examples,
      'seconds': self.seconds,
    }

  @classmethod
  def from_json(
    cls, losses: np.ndarray, values: Mapping[str, Any] | None
  ) -> 'Segment':
    """Returns what `all_losses` and `to_json` were of.

    Args:
      losses: float32 [steps].
      values: None: they were not kept.
    """
    return cls(losses=(losses,), **(values or {}))
