"""The child process: several open batches on one device, of which one at a time computes. No torch."""
