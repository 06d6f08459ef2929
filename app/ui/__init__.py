"""The page at `/`: what it is made of, and how browsers may keep and run it."""

from app.ui.assets import HEADERS, INDEX, Asset, assets, public_paths

__all__ = ["HEADERS", "INDEX", "Asset", "assets", "public_paths"]
