"""What every room uses: errors, files, caches, signals, words for messages."""
