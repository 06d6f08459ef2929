"""What stands in a model.toml: the fields, their limits, and the card that follows from them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.catalogue import InputSpec, ModelCard
from jobs.errors import ModelUnavailable
from workers.declare import in_words, wrong_fields
from workers.models.architectures import Argument
from workers.models.published import file_sha256, published_file, published_labels

PATCHES = "patches.safetensors"  # the statistics of patches that may lie beside a model.toml

Side = Annotated[int, Field(gt=0, le=4096)]
Size = tuple[Side, Side]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputTable(_Table):
    """How pixels become the network's input; sizes are (height, width).

    `resize` is the length of the shorter side or an exact size, and what is larger than `size` after it is
    cut to `size` around the centre; without `resize` the image is brought to `size` exactly.
    `mean` and `std` hold one number a channel; a grey model with three numbers gets its grey three times.
    """

    mode: Literal["grey", "rgb"]
    size: Size
    resize: Side | Size | None = None
    crop: Side | Size | None = Field(None, description="The same as `size`, if given at all.")
    mean: tuple[float, ...] = ()
    std: tuple[Annotated[float, Field(gt=0)], ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> InputTable:
        channels = self.channels
        if channels not in ((3,) if self.mode == "rgb" else (1, 3)):
            raise ValueError("mean and std need one number a channel: 3 for rgb, 1 or 3 for grey")
        if self.std and self.mean and len(self.std) != len(self.mean):
            raise ValueError("mean and std need the same length")
        if self.crop is not None and _pair(self.crop) != self.size:
            raise ValueError("crop must be equal to size")
        smallest = (self.resize,) * 2 if isinstance(self.resize, int) else self.resize or self.size
        needed = (max(self.size),) * 2 if isinstance(self.resize, int) else self.size
        if smallest[0] < needed[0] or smallest[1] < needed[1]:
            raise ValueError("resize must leave at least size")
        return self

    @property
    def channels(self) -> int:
        """Of the network's input."""
        return len(self.mean) or len(self.std) or (3 if self.mode == "rgb" else 1)


class Declaration(_Table):
    """A model.toml."""

    title: str = Field(min_length=1)
    architecture: str = Field(pattern=r"^(phantom|torchvision):\w+$")
    arguments: dict[str, Argument] = Field(default_factory=dict)
    weights: str = Field(
        pattern=r"^(random|[A-Z][A-Z0-9_]*|.+\.safetensors)$",
        description="A safetensors file beside the model.toml, a published name of torchvision, or `random`.",
    )
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    seed: int = Field(0, ge=0, lt=2**63, description="Of random weights.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="What the network computes in; maps are added up in float32 all the same."
    )
    labels: tuple[str, ...] | str | None = None
    input: InputTable
    default_layer: str | None = None
    pinned: bool = False
    description: str = ""
    intended_use: str = ""
    validated_for: str = ""
    licence: str = ""
    # Any: figures that the model's maker states.
    figures: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> Declaration:
        if self.weights.endswith(".safetensors") and self.sha256 is None:
            raise ValueError("sha256 of the weights is missing")
        if self.published and not self.architecture.startswith("torchvision:"):
            raise ValueError("only torchvision publishes weights by name")
        if {"weights", "weights_backbone"} & self.arguments.keys():
            raise ValueError("arguments must not name weights")
        return self

    @property
    def published(self) -> bool:
        """Whether the weights are torchvision's own."""
        return self.weights != "random" and not self.weights.endswith(".safetensors")


def read_declaration(folder: Path) -> tuple[Declaration, ModelCard]:
    """The model.toml of a folder and its card; no weights are read. The folder's name is the model's id.

    Raises ModelUnavailable naming every wrong field.
    """
    try:
        declaration = Declaration.model_validate(tomllib.loads((folder / "model.toml").read_text("utf-8")))
        return declaration, _card(folder, declaration)
    except ValidationError as error:
        problems = wrong_fields(error, whole="model.toml")
        words = f"{folder.name}/model.toml: {in_words(problems)}"
        raise ModelUnavailable(words, problems=problems) from error
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{folder.name}/model.toml: {error}") from error


def _card(folder: Path, declaration: Declaration) -> ModelCard:
    labels = _labels(folder, declaration)
    return ModelCard(
        id=folder.name,
        digest=_digest(folder, declaration, labels),
        title=declaration.title,
        architecture=declaration.architecture,
        input=InputSpec(
            mode=declaration.input.mode, height=declaration.input.size[0], width=declaration.input.size[1]
        ),
        labels=labels,
        **declaration.model_dump(
            include={"description", "intended_use", "validated_for", "licence", "figures"}
        ),
    )


def _labels(folder: Path, declaration: Declaration) -> tuple[str, ...]:
    """From the list, the file (a list, or an object of index -> name), or the publisher; else numbers."""
    if isinstance(declaration.labels, tuple):
        return declaration.labels
    if declaration.labels is not None:
        names = json.loads((folder / declaration.labels).read_text("utf-8"))
        if isinstance(names, dict):
            names = [names[str(index)] for index in range(len(names))]
        return tuple(map(str, names))
    if declaration.published:
        return published_labels(declaration.architecture, declaration.weights)
    return tuple(str(index) for index in range(int(declaration.arguments.get("num_classes", 1000))))


def _digest(folder: Path, declaration: Declaration, labels: tuple[str, ...]) -> str:
    """Covers the weights and all else that decides an answer or a map: an edit makes another model."""
    words = declaration.model_dump(
        mode="json",
        include={"architecture", "arguments", "sha256", "seed", "dtype", "input", "default_layer"},
    )
    if declaration.published:
        words["sha256"] = published_file(declaration.architecture, declaration.weights).name
    if (patches := folder / PATCHES).is_file():
        words["patches"] = file_sha256(patches)
    canonical = json.dumps([words, labels], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _pair(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else size
