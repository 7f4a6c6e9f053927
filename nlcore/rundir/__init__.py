"""What is written to disk: one directory for each run."""
