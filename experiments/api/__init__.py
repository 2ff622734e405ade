"""What Python offers, as the launcher does by its flags; see docs/python.md."""
