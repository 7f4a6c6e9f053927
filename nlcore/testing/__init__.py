"""A toy problem, a tiny run of it, and comparing states: for the conformance suite and for tests of plugins."""
