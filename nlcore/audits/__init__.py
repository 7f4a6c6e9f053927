"""Finding wrong labels: what is certain of a data set, what models say of it, what people decide."""
