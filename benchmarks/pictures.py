"""Pictures to post: many that differ, since an equal one would be answered from the store."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image

from benchmarks import load
from workers.phantom.scenes import draw

BOUNDARY = "benchmark-boundary"


def phantom_pngs(count: int, *, first_seed: int) -> list[bytes]:
    """Drawn radiographs as PNG files, 96 x 96 grey."""
    return [_png(draw(first_seed + number).image) for number in range(count)]


def noise_pngs(count: int, *, first_seed: int, size: int = 224) -> list[bytes]:
    """Smooth colour noise as PNG files, `size` x `size`; a network takes as long for it as for a photo."""
    files = []
    for number in range(count):
        coarse = np.random.default_rng(first_seed + number).integers(0, 256, (14, 14, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BILINEAR)
        files.append(_png(np.asarray(picture)))
    return files


def explanation_request(
    png: bytes, *, model: str, method: str, wait: int = 60, seed: int = 0, **params: object
) -> bytes:
    """The bytes of a multipart POST that waits for its answer."""
    fields = {"model": model, "method": method, "params": json.dumps(params), "seed": str(seed)}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image.png"\r\n\r\n'
    body = b"".join(parts) + head.encode() + png + f"\r\n--{BOUNDARY}--\r\n".encode()
    return load.post(
        "/api/v1/explanations",
        body,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers=[f"Prefer: wait={wait}"],
    )


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
