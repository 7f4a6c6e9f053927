"""The images and labels of a run: preparing them once, and cutting them into batches."""
