"""Causal graphs and what is found out by means of them, as functions of what surveys answered."""
