"""Untrusted bytes become checked pixels, in a child process with limits on time, memory and size."""
