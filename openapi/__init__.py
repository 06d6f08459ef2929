"""The printed documents: what this version can do, and how its API speaks."""
