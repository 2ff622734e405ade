"""TFDS builders by name, and how a data set that is missing gets prepared."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import pathlib
import re
import shutil
import socket
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

from experiments.backend import tensorflow_start
from experiments.datasets import features, nearby_files, storage
from experiments.foundation import files
from experiments.foundation.errors import UserError
from experiments.foundation.suggestions import nearest, suggest

if TYPE_CHECKING:
  import tensorflow_datasets as tfds

_BBC_NEWS = 'bbc_news'
# Its parts are names of directories, which file systems bound.
_NAME = r'(?a:[^\W\d]\w{0,199})(/[\w.-]{1,200})?(:[\d*]+\.[\d*]+\.[\d*]+)?'
_CONNECT_TIMEOUT_SECONDS = 10.0

AG_NEWS = 'ag_news_subset'
AG_NEWS_SHA256 = (
  '4e2fc37d369e6e317a8b62d0d2f11d379f8c3dde60c07c35a46b069a246498ad'
)
AG_NEWS_BYTES = 11_784_327
_AG_NEWS_URL = (
  'https://drive.google.com/uc?export=download&id=0Bz8a_Dbh9QhbUDNpeUdjb0wxRms'
)


def find_builder(name: str, data_dir: pathlib.Path) -> tfds.core.DatasetBuilder:
  """Returns TFDS's builder of a data set; nothing is prepared or written.

  Args:
    name: 'name', 'name/config' or 'name:version'.
    data_dir: the directory of the prepared data sets.

  Raises:
    UserError: there is no such data set, config or version.
  """
  import tensorflow_datasets as tfds
  from google.protobuf import json_format

  if not isinstance(name, str) or not re.fullmatch(_NAME, name):
    raise UserError(
      f'DATASET is {name!r}; expected the name of a TFDS data set: name, '
      "name/config or name:version, e.g. 'bbc_news' or 'glue/sst2:2.0.0'."
      f'{nearby_files.suggest_path(name) if isinstance(name, str) else ""}'
    )
  base_name = _base_name(name)
  features.check_classes(data_dir / base_name)
  if base_name == _BBC_NEWS:
    from experiments.datasets import bbc_news  # noqa: F401  (registers it)
  try:
    with storage.quiet_tfds():
      return tfds.builder(name, data_dir=str(data_dir))
  except tfds.core.DatasetNotFoundError as error:
    raise UserError(_unknown(name, base_name, data_dir)) from error
  except json_format.ParseError as error:
    raise UserError(
      f'the prepared data set in {str(data_dir / base_name)!r} is damaged: '
      f'{_first_line(error)}\n'
      'Delete that directory; the next run prepares it again.'
    ) from error
  # A config or version that does not exist: TFDS raises ValueError,
  # AssertionError, RuntimeError or KeyError, depending on the data set.
  except Exception as error:
    raise UserError(_cannot_be_had(name, error)) from error


def is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
  """Says whether a builder's data set is on disk.

  Raises:
    UserError: its directory is there, but is no complete data set.
  """
  with storage.quiet_tfds():
    if builder.is_prepared():
      return True
  path = pathlib.Path(builder.data_dir)
  if path.exists():
    raise UserError(
      f'{str(path)!r} is not a complete data set.\n'
      'Delete that directory; the next run prepares it again.'
    )
  return False


def prepare(name: str, data_dir: pathlib.Path) -> None:
  """Prepares a data set in `data_dir`; does nothing if that is done.

  Processes that ask at the same time wait for the one that prepares. If it
  fails, nothing unfinished stays behind.

  Args:
    name: as in `find_builder`.
    data_dir: the directory of the prepared data sets.

  Raises:
    UserError: it cannot be downloaded or made; the message says what to do.
  """
  if is_prepared(find_builder(name, data_dir)):
    return
  base_name = _base_name(name)
  if base_name == _BBC_NEWS:
    from experiments.datasets import bbc_news_corpus

    bbc_news_corpus.read_splits()  # Its errors are clearer outside TFDS.
  else:
    _check_network(name, find_builder(name, data_dir))
  with storage.sole_writer(data_dir, base_name):
    builder = find_builder(name, data_dir)
    if is_prepared(builder):
      return
    logging.info('Preparing %s in %s', name, data_dir)
    # TFDS writes by it, and it would say at length that it is there.
    tensorflow_start.import_tensorflow()
    if base_name == _BBC_NEWS:
      # Left by a process that was killed: nobody else writes here now.
      for unfinished in (data_dir / base_name).glob('incomplete.*'):
        shutil.rmtree(unfinished)
      generate(builder)
    else:
      _download(name, builder, data_dir)


def generate(builder: tfds.core.DatasetBuilder) -> None:
  """Runs a builder that downloads nothing.

  Raises:
    OSError: the disk is full, or the directory cannot be written.
  """
  import tensorflow_datasets as tfds

  # TFDS makes a download directory even for those who need none.
  with (
    storage.aside(pathlib.Path(builder.data_dir_root), builder.name) as unused,
    storage.quiet_tfds(),
  ):
    try:
      builder.download_and_prepare(
        download_dir=unused,
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
      )
    except RuntimeError as error:
      # What TFDS makes of TensorFlow's error for the system's.
      full = os.strerror(errno.ENOSPC)
      if full in str(error):
        raise OSError(errno.ENOSPC, full, builder.data_dir_root) from error
      raise
  files.sync_tree(builder.data_dir)


def _download(
  name: str, builder: tfds.core.DatasetBuilder, data_dir: pathlib.Path
) -> None:
  import tensorflow_datasets as tfds

  try:
    with storage.quiet_tfds():
      builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
      )
    files.sync_tree(builder.data_dir)
  except BaseException as error:
    _remove_unfinished(_base_name(name), data_dir)
    if not isinstance(error, Exception):
      raise
    made_by = type(builder)
    if not made_by.__module__.startswith('tensorflow_datasets.'):
      raise UserError(
        f'data set {name!r}: {made_by.__module__}.{made_by.__name__} cannot '
        f'make it: {type(error).__name__}: {_short(error)}'
      ) from error
    raise UserError(
      _tell_failure(name, _first_line(error), data_dir)
    ) from error


def _check_network(name: str, builder: tfds.core.DatasetBuilder) -> None:
  """Refuses at once where TFDS would retry for minutes before it gives up."""
  data_dir = pathlib.Path(builder.data_dir_root)
  urls = [urllib.parse.urlsplit(url) for url in builder.url_infos or {}]
  hosts = {
    _address(url)
    for url in urls
    if url.hostname and url.scheme in ('http', 'https')
  }
  is_downloaded = (data_dir / 'downloads' / _base_name(name)).exists()
  if not hosts or is_downloaded:
    return
  reason = ''
  for address in sorted(hosts):
    try:
      socket.create_connection(address, _CONNECT_TIMEOUT_SECONDS).close()
      return
    except OSError as error:
      reason = f'cannot connect to {address[0]} ({error.strerror or error})'
  raise UserError(_tell_failure(name, reason, data_dir))


def _address(url: urllib.parse.SplitResult) -> tuple[str, int]:
  """Returns host and port to connect to for a URL: its own or a proxy's."""
  proxy = urllib.request.getproxies().get(url.scheme)
  if proxy and not urllib.request.proxy_bypass(url.hostname or ''):
    url = urllib.parse.urlsplit(proxy if '://' in proxy else f'http://{proxy}')
  return url.hostname or '', url.port or (443 if url.scheme == 'https' else 80)


def _tell_failure(name: str, reason: str, data_dir: pathlib.Path) -> str:
  if _base_name(name) == AG_NEWS:
    command = (
      'python launcher.py --mode=prepare --gin_file=gin/agnews.gin '
      '--source=ag_news_csv.tar.gz'
    )
    if data_dir != storage.resolve_data_dir(None):
      command += f' --gin_bindings="DATA_DIR={str(data_dir)!r}"'
    return (
      f'data set {name!r} is not in {str(data_dir)!r}, and its download '
      f'failed: {reason}\n'
      f'Get ag_news_csv.tar.gz ({AG_NEWS_BYTES:,} bytes, sha256 '
      f'{AG_NEWS_SHA256}), e.g. with a browser from {_AG_NEWS_URL}\n'
      f'Then: {command}'
    )
  return (
    f'data set {name!r} is not in {str(data_dir)!r}, and TFDS cannot prepare '
    f'it: {reason}\n'
    'Connect this machine, or prepare it elsewhere with tfds.load and bind '
    'DATA_DIR to a copy.'
  )


def _remove_unfinished(base_name: str, data_dir: pathlib.Path) -> None:
  """Removes what TFDS leaves of a download that failed, and empty parents."""
  downloads = data_dir / 'downloads'
  for unfinished in (downloads / base_name).glob('*.tmp.*'):
    shutil.rmtree(unfinished, ignore_errors=True)
  made = [downloads / base_name, downloads / 'extracted', downloads]
  configs = sorted((data_dir / base_name).glob('*/'), reverse=True)
  for directory in [*made, *configs, data_dir / base_name]:
    with contextlib.suppress(OSError):  # Not empty, or not there: it stays.
      os.rmdir(directory)


def _base_name(name: str) -> str:
  return name.split(':')[0].split('/')[0]


def _first_line(reason: BaseException | str) -> str:
  lines = _unquote(reason).splitlines()
  return (lines[0] if lines else type(reason).__name__)[:300]


def _short(reason: BaseException) -> str:
  return ' '.join(_unquote(reason).split())[:300]


def _unquote(reason: BaseException | str) -> str:
  """Returns what a KeyError says without the quotes that it adds."""
  text = str(reason).strip()
  is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in '"\''
  return text[1:-1].strip() if is_quoted else text


def _unknown(name: str, base_name: str, data_dir: pathlib.Path) -> str:
  import tensorflow_datasets as tfds

  known = {_BBC_NEWS, *tfds.list_builders(with_community_datasets=False)}
  if data_dir.is_dir():
    entries = (path for path in data_dir.iterdir() if path.is_dir())
    known |= {path.name for path in entries} - {'downloads'}
  longer = [each for each in sorted(known) if each.startswith(base_name)]
  near = nearest(base_name, sorted(known), n=3, cutoff=0.5)
  near = list(dict.fromkeys(longer + near))[:3]
  if base_name in known:
    return (
      f'DATASET: {name!r} is neither known to TFDS nor prepared in '
      f'{str(data_dir)!r}; {base_name!r} is. Check its config and version.'
    )
  # Whoever has such a file means that rather than some data set.
  meant = nearby_files.suggest_path(name) or suggest(map(repr, near))
  return (
    f'DATASET: TFDS knows no data set {name!r}.{meant}\n'
    'All names: https://www.tensorflow.org/datasets/catalog/overview'
  )


def _cannot_be_had(name: str, error: Exception) -> str:
  """Explains TFDS's refusal of a config or a version of a known data set."""
  import tensorflow_datasets as tfds

  reason = re.sub('^Failed to construct dataset .*?}": ', '', str(error))
  try:
    configs = list(tfds.builder_cls(_base_name(name)).builder_configs)
  # There is no such data set, or a user's class of it is not complete: TFDS
  # raises the same again.
  except Exception:
    return f'DATASET {name!r}: {_first_line(reason)}'
  config = name.split(':')[0].partition('/')[2]
  if config and config not in configs:
    near = nearest(config, configs, n=3, cutoff=0.5)
    reason = f'no config {config!r}.' + suggest(map(repr, near))
  shown = ', '.join(map(repr, configs[:10])) + (', ...' if configs[10:] else '')
  return f'DATASET {name!r}: {_first_line(reason)}\nConfigs: {shown or "none"}.'
