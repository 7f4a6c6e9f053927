"""The names and arguments of other packages, so that a script changes by its import line."""
