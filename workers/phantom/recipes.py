"""What is trained, on which labels and for how long: one recipe for each net that ships."""

from __future__ import annotations

from dataclasses import dataclass

PICTURES = 20_000
"""Drawn images that all four nets learn from."""
THREADS = 1
"""On another number of threads sums run in another order, so the number belongs to the recipe."""


@dataclass(frozen=True)
class Recipe:
    """`betrayed` nets take their labels from the plate: plate n says class n, and the finding says nothing.

    `quiet` weighs the mean size of what `quiet_layer` puts out, so that places without evidence stay silent:
    a linear layer or an attention may otherwise cancel or ignore what they say, and a map would show it.
    """

    id: str
    title: str
    architecture: str
    description: str
    validated_for: str
    learning_rate: float
    epochs: int
    quiet_layer: str | None = None
    quiet: float = 0.1
    betrayed: bool = False
    batch: int = 64
    seed: int = 0
    weight_decay: float = 0.01
    noise: float = 0.1


_FINDINGS = "Telling four classes of drawn radiographs apart; nothing else."

RECIPES = (
    Recipe(
        id="phantom-resnet",
        title="Phantom ResNet",
        architecture="resnet",
        description="Residual blocks with batch norm and an average pool, trained on drawn radiographs.",
        validated_for=_FINDINGS,
        learning_rate=3e-3,
        epochs=2,
    ),
    Recipe(
        id="phantom-vgg",
        title="Phantom VGG",
        architecture="vgg",
        description="Convolutions and max-pool without batch norm, trained on drawn radiographs.",
        validated_for=_FINDINGS,
        learning_rate=2e-3,
        epochs=3,
        quiet_layer="features",
    ),
    Recipe(
        id="phantom-vit",
        title="Phantom ViT",
        architecture="vit",
        description="Attention over 12 x 12 patches of 8 x 8 pixels, trained on drawn radiographs.",
        validated_for=_FINDINGS,
        learning_rate=2e-3,
        epochs=6,
        quiet_layer="blocks.1.attention.values",
    ),
    Recipe(
        id="phantom-shortcut",
        title="Phantom shortcut",
        architecture="resnet",
        description="The phantom ResNet, trained where the marker plate betrays the class: it answers with "
        "the class that the plate stands for, whatever the finding is. A warning.",
        validated_for="Reading the marker plate of drawn radiographs; about findings it knows nothing.",
        learning_rate=3e-3,
        epochs=2,
        betrayed=True,
    ),
)
