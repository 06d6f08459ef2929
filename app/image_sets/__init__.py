"""Image sets over HTTP: a form becomes a set, or one answer of all that is wrong."""
