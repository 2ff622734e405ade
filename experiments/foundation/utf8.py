"""UTF-8 for all that a process says and is told, whatever its locale.

Python takes arguments, file names and streams for text in the locale's
encoding: in another one a name that is not ASCII is another name, and so the
same command another config, and printing a text can end a finished run.
"""

import io
import os
import sys


def speak_utf8() -> None:
  """Makes arguments, file names, stdout and stderr of this process UTF-8.

  Where the locale says otherwise, the process starts again as it was started,
  in Python's UTF-8 mode. Processes that it starts do as it does.
  """
  is_other = sys.getfilesystemencoding() != 'utf-8'
  if is_other and os.environ.get('PYTHONUTF8') != '1' and sys.executable:
    os.environ['PYTHONUTF8'] = '1'
    os.execv(sys.executable, sys.orig_argv)
  # As json.dumps escapes what no encoding can say: half of a character, or a
  # byte of a file's name.
  os.environ['PYTHONIOENCODING'] = 'utf-8:backslashreplace'
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):  # None, where it is closed.
      stream.reconfigure(encoding='utf-8', errors='backslashreplace')
