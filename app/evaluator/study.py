"""What an evaluation is: models, methods and metrics in full, and the cells that follow from them."""

from __future__ import annotations

from pydantic import Field

from app.evaluation.cells import Cell, cells
from jobs.fingerprint import named_job
from jobs.job import Job, Message, MethodRef, MetricRef, ModelRef
from jobs.pictures import ImageSet, SetPicture

EVALUATION = "evaluation"  # the kind of an analysis


class Study(Message):
    """The parameters of an analysis that is an evaluation, with everything filled in."""

    models: tuple[ModelRef, ...]
    methods: tuple[MethodRef, ...]
    metrics: tuple[MetricRef, ...]
    seed: int
    uses_masks: bool = Field(description="Whether one of the metrics needs them.")

    def parts(self, image_set: ImageSet) -> dict[str, Cell[SetPicture]]:
        """The cells by the names of the parts that they are: their places in the plan."""
        names = [method.name for method in self.methods]
        plan = cells(self.models, names, image_set.pictures)
        return {str(place): cell for place, cell in enumerate(plan)}

    def method(self, cell: Cell[SetPicture]) -> MethodRef:
        """The method of a cell."""
        return next(method for method in self.methods if method.name == cell.method)

    def job(self, secret: bytes, tenant: str, cell: Cell[SetPicture]) -> Job:
        """The explanation of a cell; an equal one that was asked for by itself is the same job."""
        return named_job(
            secret,
            tenant=tenant,
            model=cell.model,
            method=self.method(cell),
            image=cell.picture.image,
            mask=cell.picture.mask if self.uses_masks else None,
            metrics=self.metrics,
            seed=self.seed,
        )
