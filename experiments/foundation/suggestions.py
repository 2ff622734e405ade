"""The nearest known name, for messages about an unknown one."""

import difflib
from collections.abc import Iterable


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
  by_lower = {candidate.lower(): candidate for candidate in candidates}
  close = difflib.get_close_matches(name.lower(), by_lower, 1, cutoff)
  return f' Did you mean {before}{by_lower[close[0]]}?' if close else ''
