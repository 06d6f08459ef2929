"""Models as data: folders that name an architecture, weights and how to feed them."""
