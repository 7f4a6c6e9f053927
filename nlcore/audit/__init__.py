"""Which labels are wrong: scores, how many, several annotators, what belongs to no class, and a review of the list."""
