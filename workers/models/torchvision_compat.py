"""The one place that imports torchvision: it gives torch the operators that torchvision registers fakes for.

A torchvision wheel built for CUDA cannot load its own operators beside a torch built for the CPU, and then
dies on import with "operator torchvision::nms does not exist". Models and transforms need none of them, so
their schemas are declared here when the wheel's library does not bring them.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import torch

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _declare_missing() -> torch.library.Library:
    _load_own_operators()
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _load_own_operators() -> None:
    spec = find_spec("torchvision")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    for library in (*folder.glob("_C*.so"), *folder.glob("_C*.pyd")):
        with suppress(OSError):
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]


_library = _declare_missing()  # kept: the declarations die with it

import torchvision  # noqa: E402 - only after the operators are there

__all__ = ["torchvision"]
