"""The service as one of its users would use it."""
