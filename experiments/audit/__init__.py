"""Whether data can be believed: duplicates, leaks, giveaways, wrong labels."""
