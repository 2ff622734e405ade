"""Paths of data files, told from names of TFDS data sets by how they look."""

# By the end of a file's name: what is in it.
FORMATS = {
  'csv': 'csv',
  'tsv': 'tsv',
  'tab': 'tab',
  'jsonl': 'json',
  'ndjson': 'json',
  'json': 'json',
  'parquet': 'parquet',
  'txt': 'fasttext',
}
_COMPRESSED = '.gz'


def format_of(name: str) -> str | None:
  """Returns what a file holds, by the end of its name; None: it is unknown.

  Args:
    name: e.g. 'reviews.csv.gz'.
  """
  name = name.lower()
  is_compressed = name.endswith(_COMPRESSED)
  stem, dot, ending = name.removesuffix(_COMPRESSED).rpartition('.')
  format_ = FORMATS.get(ending) if dot and stem else None
  return None if is_compressed and format_ == 'parquet' else format_


def is_data_path(name: str) -> bool:
  """Tells a path of a data file or directory from the name of a data set.

  Args:
    name: what `DATASET` binds. A path begins with '/', './', '../' or '~', or
      ends as the name of a data file does; all else is a name of TFDS.
  """
  return (
    name.startswith(('/', './', '../', '~'))
    or name in ('.', '..')
    or format_of(name.rpartition('/')[2]) is not None
  )
