"""Three benchmarks of the literature whose truth is known, for every method, on the drawn world."""
