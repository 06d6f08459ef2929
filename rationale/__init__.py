"""Ask a Rationale service from Python why a vision model said what it said about an image.

from rationale import Client

with Client("http://localhost:8000") as client:
    explanation = client.explain("nodule.png", model="phantom-resnet", method="grad-cam")
explanation.map           # (H, W) float32
explanation.overlay()     # a Pillow image
explanation.trust         # how far it can be believed
"""

from jobs.errors import (
    Busy,
    Forbidden,
    InvalidRequest,
    JobFailed,
    NotExplainable,
    NotFinished,
    NotFound,
    RationaleError,
    Refused,
    Unauthorised,
    Unavailable,
)
from rationale.aio import AsyncClient
from rationale.client import Client
from rationale.explanations import Explained, Explanation
from rationale.images import Image

__all__ = [
    "AsyncClient",
    "Busy",
    "Client",
    "Explained",
    "Explanation",
    "Forbidden",
    "Image",
    "InvalidRequest",
    "JobFailed",
    "NotExplainable",
    "NotFinished",
    "NotFound",
    "RationaleError",
    "Refused",
    "Unauthorised",
    "Unavailable",
]
