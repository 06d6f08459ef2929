"""Small jobs and results to test with; each call makes new ones."""

from __future__ import annotations

import hashlib
import struct
from uuid import uuid4

from jobs.fingerprint import SURVEY, survey_digest
from jobs.job import Flow, ImageRef, Job, Lane, MethodRef, ModelRef, Opened
from jobs.repair import ModelCuts, WeightCut
from jobs.result import Box, MapInfo, Prediction, Provenance, Result, TargetResult

PIXELS = bytes(range(64))
REFERENCE_PIXELS = bytes(range(64, 128))
MASK_PIXELS = bytes(range(128, 192))
FLOW = Flow(Lane.INTERACTIVE, "clinic")  # of jobs on the usual terms
MAP = struct.pack("<4f", 0.0, 0.25, -0.5, 1.0)


def sample_model(name: str = "phantom-resnet", *, weights: str = "v1") -> ModelRef:
    """A model whose digest follows from its name and weights."""
    return ModelRef(id=name, digest="sha256:" + hashlib.sha256(f"{name} {weights}".encode()).hexdigest())


def repaired_model(base: ModelRef | None = None, *cuts: WeightCut, repair: str = "r" * 32) -> ModelRef:
    """A repair of a model."""
    base = base or sample_model()
    changed = ModelCuts(base=base.digest, cuts=cuts or (WeightCut(weight="stem", rows=(0, 2), columns=(1,)),))
    return ModelRef(id=f"{base.id}@{repair}", digest=changed.digest, repair=changed)


def sample_job(
    *,
    job_id: str | None = None,
    tenant: str = "clinic",
    model: ModelRef | None = None,
    image: str | None = None,
    reference: str | None = None,
    mask: str | None = None,
) -> Job:
    """A job with an image of 8 x 8 grey pixels (`PIXELS`).

    If they are named it has a reference (`REFERENCE_PIXELS`) and a mask (`MASK_PIXELS`).
    """
    return Job(
        id=job_id or uuid4().hex,
        tenant=tenant,
        model=model or sample_model(),
        method=MethodRef(name="saliency", version=1, params={"smooth": 0.5}),
        image=_image(image or uuid4().hex, PIXELS),
        reference=_image(reference, REFERENCE_PIXELS) if reference else None,
        mask=_image(mask, MASK_PIXELS) if mask else None,
    )


def sample_survey(*images: str, job_id: str | None = None, tenant: str = "clinic") -> Job:
    """A survey of images by their keys, whose pixels are those of `survey_pixels`."""
    refs = tuple(_image(key, survey_pixels(key)) for key in images)
    return Job(
        id=job_id or f"{SURVEY}-{uuid4().hex}",
        tenant=tenant,
        model=sample_model(),
        method=MethodRef(name="headcount", version=1, params={"least": 3}),
        image=refs[0],
        survey=refs,
    )


def survey_pixels(key: str) -> bytes:
    """8 x 8 grey pixels, others for each key."""
    return hashlib.sha512(key.encode()).digest()


def _image(key: str, pixels: bytes) -> ImageRef:
    digest = "sha256:" + hashlib.sha256(pixels).hexdigest()
    return ImageRef(key=key, digest=digest, height=8, width=8, channels=1, dtype="uint8")


def sample_result(job: Job) -> Result:
    """A result with one target, index 2, whose map is `MAP`."""
    return Result(
        id=job.id,
        predictions=(Prediction(index=2, label="nodule", score=0.97, logit=6.1),),
        targets=(
            TargetResult(
                index=2,
                label="nodule",
                score=0.97,
                logit=6.1,
                rank=1,
                map=MapInfo(
                    height=2,
                    width=2,
                    min=-0.5,
                    max=1.0,
                    native_grid=(2, 2),
                    box=Box(x0=0, y0=0, x1=8, y1=8),
                ),
            ),
        ),
        provenance=Provenance(image=job.image.digest),
    )


def sample_findings(opened: Opened) -> Result:
    """A result of a survey: the first byte of each of its images."""
    return Result(
        id=opened.job.id,
        predictions=(),
        targets=(),
        provenance=Provenance(image=survey_digest(opened.job.survey)),
        findings={"first bytes": [pixels[0] for pixels in opened.survey]},
    )
