"""The error that a user can put right."""


class UserError(ValueError):
  """A flag, a config or data that the user must change.

  The message names the thing, what was got, what was expected and the way out,
  on one to three lines. The launcher prints it alone, without a traceback, and
  exits with status 2.
  """
