"""Drawn radiographs as the files that a client would send."""

from __future__ import annotations

import io

from PIL import Image

from workers.phantom.scenes import Scene, draw


def nodule(seed: int = 3) -> Scene:
    return draw(seed, finding="nodule")


def calcifications(seed: int = 4) -> Scene:
    return draw(seed, finding="calcifications")


def png(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene.image).save(buffer, "PNG")
    return buffer.getvalue()
