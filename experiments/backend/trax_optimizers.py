"""What trax's optimizers can do and do not offer by a public name."""


def clip_gradients(optimizer, norm: float) -> None:
  """Makes an optimizer clip gradients, whichever it is.

  Args:
    optimizer: one of trax's; not each takes this as an argument.
    norm: the largest L2 norm of the gradient of all weights.
  """
  optimizer._clip_grad_norm = norm
