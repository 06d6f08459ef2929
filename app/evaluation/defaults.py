"""What an evaluation measures when nothing else is asked for."""

DEFAULT_METRICS = ("deletion", "insertion", "sparseness")
