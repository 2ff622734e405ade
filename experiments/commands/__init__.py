"""The command line: flags, and one file a mode."""
