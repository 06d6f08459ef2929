"""The HTTP room: requests in, explanations out. It never imports torch."""
