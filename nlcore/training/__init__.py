"""The loop for every method, evaluation, and what device they run on."""
