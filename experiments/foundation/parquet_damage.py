"""What reading a damaged Parquet file raises, as one error."""

import contextlib
from collections.abc import Iterator

from experiments.foundation.errors import UserError


class DamagedParquetError(Exception):
  """A Parquet file cannot be read, or holds what Python has no value for."""


@contextlib.contextmanager
def finding_damage() -> Iterator[None]:
  """Names damage as such while a Parquet file is opened and read.

  Arrow says of it what its part that met it says: of a page an OSError, of a
  name that is not UTF-8 a UnicodeDecodeError, of a date that Python cannot hold
  an OverflowError or a ValueError.

  Raises:
    DamagedParquetError: the file is damaged.
    OSError: the operating system could not read it.
  """
  import pyarrow

  try:
    yield
  except UserError:
    raise
  except (
    *(pyarrow.ArrowException, ArithmeticError, LookupError),
    *(MemoryError, OSError, TypeError, ValueError),
  ) as error:
    if isinstance(error, OSError) and error.errno is not None:
      raise
    lines = str(error).strip().splitlines() or [type(error).__name__]
    raise DamagedParquetError(lines[0][:200]) from error
