"""What methods share that change an image and ask again: what is hidden, what stands there, when to stop."""
