"""Pages to look at: a study in one HTML file that needs nothing else."""
