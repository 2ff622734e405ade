"""The training loop and what it needs: updates, programs, progress."""
