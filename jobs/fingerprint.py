"""Names that cannot be guessed: the id of a job and the key of an image are HMACs of what they stand for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jobs.excerpts import GraphExcerpt
from jobs.job import SCHEMA_VERSION, ImageRef, Job, MethodRef, MetricRef, ModelRef

ID = r"^[a-z2-7]{32}$"  # how a name looks
ID_BYTES = 20  # 160 bits: 32 characters of base32 without padding
SURVEY = "survey"  # before the id of a survey, which therefore looks like no explanation's


def job_id(
    secret: bytes,
    *,
    tenant: str,
    image_digest: str,
    model: ModelRef,
    method: MethodRef,
    targets: tuple[int, ...],
    metrics: tuple[MetricRef, ...],
    seed: int,
    reference_digest: str | None = None,
    mask_digest: str | None = None,
    graph_digests: tuple[str, ...] = (),
    survey_digests: tuple[str, ...] = (),
) -> str:
    """32 lower-case base32 characters that are equal exactly when the explanations would be.

    Those of a survey stand behind `survey-`: no path of an explanation leads to it. The parameters must be
    complete (defaults filled in), else equal requests would get different ids.
    """
    name = _hmac(
        secret,
        [
            "job",
            SCHEMA_VERSION,
            tenant,
            image_digest,
            model.named.model_dump(),
            method.model_dump(),
            targets,
            [metric.model_dump() for metric in metrics],
            seed,
            *(() if reference_digest is None else ("reference", reference_digest)),
            *(() if mask_digest is None else ("mask", mask_digest)),
            *(("graphs", graph_digests) if graph_digests else ()),
            *((SURVEY, survey_digests) if survey_digests else ()),
        ],
    )
    return f"{SURVEY}-{name}" if survey_digests else name


def named_job(
    secret: bytes,
    *,
    tenant: str,
    model: ModelRef,
    method: MethodRef,
    image: ImageRef,
    reference: ImageRef | None = None,
    mask: ImageRef | None = None,
    graphs: tuple[GraphExcerpt, ...] = (),
    survey: tuple[ImageRef, ...] = (),
    targets: tuple[int, ...] = (),
    metrics: tuple[MetricRef, ...] = (),
    seed: int = 0,
) -> Job:
    """The job of these parts under the id that stands for them."""
    name = job_id(
        secret,
        tenant=tenant,
        image_digest=image.digest,
        model=model,
        method=method,
        targets=targets,
        metrics=metrics,
        seed=seed,
        reference_digest=reference.digest if reference else None,
        mask_digest=mask.digest if mask else None,
        graph_digests=tuple(one.digest for one in graphs),
        survey_digests=tuple(one.digest for one in survey),
    )
    return Job(
        id=name,
        tenant=tenant,
        model=model,
        method=method,
        image=image,
        reference=reference,
        mask=mask,
        graphs=graphs,
        survey=survey,
        targets=targets,
        metrics=metrics,
        seed=seed,
    )


def analysis_id(
    secret: bytes,
    *,
    tenant: str,
    kind: str,
    image_set: str,
    params: Mapping[str, Any],  # Any: JSON values
) -> str:
    """Equal exactly when what is to be found out about an image set is; the parameters must be complete."""
    return _hmac(secret, ["analysis", tenant, kind, image_set, dict(params)])


def repair_id(secret: bytes, *, tenant: str, model: str, digest: str) -> str:
    """Equal exactly for equal repairs of a tenant: the id of the base and the digest of what it becomes."""
    return _hmac(secret, ["repair", tenant, model, digest])


def image_key(secret: bytes, *, tenant: str, digest: str) -> str:
    """The name under which a tenant's pixels are kept; another tenant's equal image has another name."""
    return _hmac(secret, ["image", tenant, digest])


def image_set_id(
    secret: bytes, *, tenant: str, pictures: Sequence[tuple[str, str, str | None, str | None]]
) -> str:
    """Equal exactly for equal sets of a tenant; name, digest, digest of the mask and label of each."""
    return _hmac(secret, ["image set", tenant, sorted(map(list, pictures), key=lambda each: each[0])])


def request_name(secret: bytes, *, tenant: str, key: str) -> str:
    """The name of a request to which its client gave a key; tenants never meet."""
    return _hmac(secret, ["request", tenant, key])


def request_fingerprint(
    secret: bytes,
    *,
    path: str,
    fields: Mapping[str, Any],  # Any: JSON values
    files: Mapping[str, str],
) -> str:
    """Equal exactly when a request was sent as another was; `files` are digests."""
    return _hmac(secret, ["sent", path, dict(fields), dict(files)])


def pixels_digest(pixels: bytes, *, shape: tuple[int, ...], dtype: str) -> str:
    """`sha256:` and 64 hex digits over what the pixels are, not over the file that they came in."""
    digest = hashlib.sha256(f"{dtype}:{','.join(map(str, shape))}:".encode())
    digest.update(pixels)
    return "sha256:" + digest.hexdigest()


def survey_digest(images: Iterable[ImageRef]) -> str:
    """`sha256:` and 64 hex digits over the digests of images in their order."""
    digests = "\n".join(image.digest for image in images)
    return "sha256:" + hashlib.sha256(digests.encode()).hexdigest()


def _hmac(secret: bytes, words: list[Any]) -> str:  # Any: JSON values
    canonical = json.dumps(words, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hmac.new(secret, canonical.encode(), hashlib.sha256).digest()[:ID_BYTES]
    return base64.b32encode(digest).decode().lower()
