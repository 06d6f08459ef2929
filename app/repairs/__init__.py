"""Repairs: from cuts, or from what an analysis has found, to a model that is served like any other."""
