"""Fixtures that every test gets."""

import os
import signal
import sys

import hypothesis
import pytest

from tests.fixtures import live_launcher

# A busy machine is no failure.
hypothesis.settings.register_profile('project', deadline=None)
hypothesis.settings.load_profile('project')

# A shell that starts the tests in the background has them ignore Ctrl-C, and
# with them all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clear_gin():
  """Leaves no binding of one test to the next."""
  yield
  if 'gin' in sys.modules:
    sys.modules['gin'].clear_config()


@pytest.fixture(scope='session')
def shared_dir(tmp_path_factory):
  """A directory of all processes of this session."""
  base = tmp_path_factory.getbasetemp()
  return base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base


@pytest.fixture(scope='session')
def xla_cache(request, shared_dir):
  """Where compiled programs are kept, for the next time that tests run, too."""
  cache = getattr(request.config, 'cache', None)
  return cache.mkdir('xla') if cache else shared_dir / 'xla'


@pytest.fixture(scope='session', autouse=True)
def _compiled_programs(xla_cache):
  """Lets equal programs, most of them of one operation, compile once."""
  import jax

  jax.config.update('jax_compilation_cache_dir', str(xla_cache / 'tests'))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
  jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


@pytest.fixture(scope='session')
def launcher(shared_dir, xla_cache):
  """Starts launcher.py; the data and the caches are made once for all tests."""
  return live_launcher.Launcher(shared_dir / 'launcher', xla_cache)


@pytest.fixture(scope='session')
def seed_1(launcher):
  """One that differs in its SEED alone, as in a shell loop."""
  return launcher.trained('SEED=1')


@pytest.fixture(scope='session')
def trained(launcher):
  """A finished run that no test may change: its path, stdout and stderr."""
  return launcher.trained()


@pytest.fixture(scope='session')
def token_counts(trained):
  """Lists of how many tokens the articles of `trained` have, by their split."""
  from experiments.datasets import bbc_news_corpus
  from experiments.text import vocabulary_files

  path, _, _ = trained
  vocabulary = vocabulary_files.read_vocabulary(path / 'vocabulary.subword')
  return {
    split: [len(vocabulary.encode(article.text)) for article in articles]
    for split, articles in bbc_news_corpus.read_splits().items()
  }


@pytest.fixture(scope='session')
def two_cores():
  """Two cores that this process may use."""
  cores = sorted(os.sched_getaffinity(0))[:2]
  if len(cores) < 2:
    pytest.skip('there is only one core')
  return cores
