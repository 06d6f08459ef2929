"""The experiments of the paper on causal explanatory graphs, made again with our methods and metrics."""
