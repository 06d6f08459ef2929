"""Evaluations that the service does by itself: asked for over HTTP, held by one API process at a time."""
