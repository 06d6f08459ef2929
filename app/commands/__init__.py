"""The commands of `rationale`, one file a subject."""
