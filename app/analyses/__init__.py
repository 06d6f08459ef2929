"""Analyses of image sets: asked for over HTTP, each held by one API process at a time until it is done."""
