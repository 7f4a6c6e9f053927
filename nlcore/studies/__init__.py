"""Many runs: which ones a study has, where they are computed, and what they say together."""
