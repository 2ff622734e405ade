"""The error that a user can put right, and other ends of a command."""


class UserError(ValueError):
  """A flag, a config or data that the user must change.

  The message names the thing, what was got, what was expected and the way out,
  on one to three lines. The launcher prints it alone, without a traceback, and
  exits with status 2.
  """


class EndOfRun(BaseException):
  """Ends a run before its last step, and says how: a base for others.

  Anything else that ends a run makes it 'failed'. Ctrl-C, which Python raises
  itself, counts as 'interrupted'.

  Attributes:
    run_status: the status in run.json, one of those in `rundir.run_dir`.
    step: training steps done; None: as many as the newest checkpoint has.
  """

  run_status: str
  step: int | None = None


class StrictFinding(Exception):
  """What was asked for is done, and found what --strict is to stop at.

  The launcher prints the message alone, and exits with status 3.
  """
