"""Relevance in, pictures out: scale, palettes, overlay; numpy, Pillow and cmap only."""

from app.rendering.overlay import Picture, heatmap_png, overlay
from app.rendering.palettes import PALETTES, Palette
from app.rendering.scale import Sign, Style

__all__ = ["PALETTES", "Palette", "Picture", "Sign", "Style", "heatmap_png", "overlay"]
