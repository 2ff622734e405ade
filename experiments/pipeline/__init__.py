"""Where a config meets the library: one run, from its data to its report."""
