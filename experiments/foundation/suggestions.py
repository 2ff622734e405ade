"""The nearest known name, for messages about an unknown one."""

import difflib
from collections.abc import Iterable


def nearest(
  name: str, candidates: Iterable[str], n: int = 1, cutoff: float = 0.6
) -> list[str]:
  """Returns the candidates that are most like a name, the nearest first.

  Capitals count as small letters.

  Args:
    name: what was written.
    candidates: what could have been.
    n: how many to return at most.
    cutoff: how near they must be, from 0 to 1.
  """
  by_lower = {candidate.lower(): candidate for candidate in candidates}
  close = difflib.get_close_matches(name.lower(), by_lower, n, cutoff)
  return [by_lower[each] for each in close]


def suggest(names: Iterable[str]) -> str:
  """Returns ' Did you mean X, Y?', or '' for no names."""
  names = list(names)
  return f' Did you mean {", ".join(names)}?' if names else ''


def did_you_mean(
  name: str, candidates: Iterable[str], before: str = '', cutoff: float = 0.6
) -> str:
  """Returns ' Did you mean X?' for the nearest candidate, or ''.

  Args:
    name: what was written.
    candidates: what could have been.
    before: written before the candidate, e.g. '@'.
    cutoff: how near it must be, from 0 to 1.
  """
  near = nearest(name, candidates, cutoff=cutoff)
  return suggest(f'{before}{each}' for each in near)
