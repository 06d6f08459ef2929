"""Causal explanatory graphs: which nodes of a network decide a class, by interventions on their paths."""
