"""A finished explanation: its maps, its pictures, and how far it can be believed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from jobs.errors import InvalidRequest, Problem
from jobs.job import MethodRef, ModelRef
from jobs.result import Prediction, Provenance, Timings
from jobs.trust import Trust
from rationale.documents import Document, Target

Relevance = NDArray[np.float32]
Sign = Literal["both", "positive", "negative"]


@dataclass(frozen=True, eq=False)
class Explained:
    """One explained class; `map` (H, W) is its signed relevance, `overlay_png` the picture of the service."""

    target: Target
    map: Relevance
    overlay_png: bytes

    @property
    def index(self) -> int:
        """The class's place among the model's outputs."""
        return self.target.index

    @property
    def label(self) -> str:
        """The class's name."""
        return self.target.label

    @property
    def score(self) -> float:
        """Probability after softmax, 0 to 1."""
        return self.target.score

    def overlay(self) -> Pillow.Image:
        """The map in colours over the image."""
        return Pillow.open(io.BytesIO(self.overlay_png))


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model said what it said; of several classes the first one stands for all where one is meant."""

    document: Document
    explained: Mapping[int, Explained]

    def __getitem__(self, target: int | str) -> Explained:
        """An explained class by index or label. Raises InvalidRequest naming those that there are."""
        for one in self.explained.values():
            if target in (one.index, one.label):
                return one
        names = ", ".join(f"{one.index} ({one.label})" for one in self.explained.values())
        message = f"{target} was not explained; there are: {names}"
        raise InvalidRequest(message, problems=(Problem(field="target", message=message),))

    @property
    def id(self) -> str:
        """Under which the service keeps it for a while."""
        return self.document.id

    @property
    def model(self) -> ModelRef:
        """The model by name and digest of its weights."""
        return self.document.model

    @property
    def method(self) -> MethodRef:
        """The method with its version and completed parameters."""
        return self.document.method

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """The most probable classes, best first."""
        return self.document.predictions

    @property
    def trust(self) -> Trust:
        """How far the maps can be believed: what was measured, and findings in sentences."""
        return self.document.trust or Trust()

    @property
    def timings(self) -> Timings:
        """Seconds that it waited and took."""
        return self.document.timings or Timings()

    @property
    def provenance(self) -> Provenance | None:
        """What must be known to compute the same map again."""
        return self.document.provenance

    @property
    def map(self) -> Relevance:
        """(H, W) float32, the signed relevance of the first class."""
        return self._first.map

    def overlay(self) -> Pillow.Image:
        """The map of the first class in colours over the image."""
        return self._first.overlay()

    @property
    def _first(self) -> Explained:
        return next(iter(self.explained.values()))

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from rationale.notebook import html_of

        return html_of(self)
