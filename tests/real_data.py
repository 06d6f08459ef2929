"""Real weights and photos, for the tests that use them where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data"
LABELS = DATA / "labels" / "imagenet_1000.json"
SQUEEZENET = DATA / "weights" / "imagenet_squeezenet1_1.safetensors"
SQUEEZENET_SHA256 = "49045cd72fb9395b769fa9990037b1034546c91227c0189354227b41772db095"
IMAGENET_INPUT = """
[input]
mode = "rgb"
resize = 256
size = [224, 224]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
