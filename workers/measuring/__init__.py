"""Maps measured by trust metrics, beside maps that know nothing of the network, and what follows from it."""
