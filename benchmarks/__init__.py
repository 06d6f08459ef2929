"""Every speed that is claimed, measured beside its peer in one run."""
