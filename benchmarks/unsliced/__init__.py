"""`python -m benchmarks.unsliced`: a worker whose batches run to their end, to compare with."""
