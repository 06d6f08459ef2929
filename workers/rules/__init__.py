"""How relevance passes through each kind of call, and composites that map kinds to rules."""
