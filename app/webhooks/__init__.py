"""Calls to the webhooks of clients: where they may go, what they say, and that they arrive."""
