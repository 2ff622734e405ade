"""Many runs: planned, searched for, and run by executors."""
