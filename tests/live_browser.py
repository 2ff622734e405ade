"""A headless Chromium: Debian's packages chromium and chromium-driver."""

import contextlib
import pathlib
import shutil
import tempfile
import time

DRIVER = 'chromedriver'
BROWSER = 'chromium'
FLAGS = (
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-dev-shm-usage',
  '--disable-sync',
  '--window-size=1500,950',
)


def missing():
  """Returns the names of the programs that are not installed."""
  return [name for name in (BROWSER, DRIVER) if not shutil.which(name)]


@contextlib.contextmanager
def open_browser():
  """Yields Selenium's driver of a browser with an empty profile."""
  from selenium import webdriver
  from selenium.webdriver.chrome import options, service

  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    settings = options.Options()
    settings.binary_location = shutil.which(BROWSER) or BROWSER
    for flag in (*FLAGS, f'--user-data-dir={profile}'):
      settings.add_argument(flag)
    driver = webdriver.Chrome(
      options=settings, service=service.Service(shutil.which(DRIVER))
    )
    try:
      yield driver
    finally:
      driver.quit()


def open_tab(driver, url, tab):
  """Opens a TensorBoard dashboard, e.g. 'hparams'."""
  # A page that differs in the fragment alone would not be loaded again.
  driver.get('about:blank')
  driver.get(f'{url}/#{tab}')


def wait_for_text(driver, texts, *, timeout_seconds=60):
  """Waits until the page shows all of the texts, and returns all it shows.

  Raises:
    TimeoutError: with those that are missing.
  """
  end = time.monotonic() + timeout_seconds
  while True:
    shown = driver.find_element('tag name', 'body').text
    wanting = [text for text in texts if text not in shown]
    if not wanting:
      return shown
    if time.monotonic() > end:
      raise TimeoutError(f'the page does not show {wanting}, but: {shown!r}')
    time.sleep(0.3)


def save_picture(driver, path):
  """Writes what the window shows as a PNG."""
  # Charts are drawn after the texts.
  time.sleep(2)
  pathlib.Path(path).write_bytes(driver.get_screenshot_as_png())
