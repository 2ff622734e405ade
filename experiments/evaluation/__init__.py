"""Forward passes, and what their log-probabilities say."""
