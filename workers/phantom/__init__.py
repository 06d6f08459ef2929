"""Drawn radiographs with known truth, the small nets that were trained on them, and their weights."""
