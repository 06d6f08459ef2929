"""How a colour becomes grey, wherever one does."""

from __future__ import annotations

GREY_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue; ITU-R BT.601."""
