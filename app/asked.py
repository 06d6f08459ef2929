"""What requests name: a model of the menu, an image set of their tenant."""

from __future__ import annotations

import re

from app.menu import Menu
from jobs.catalogue import ModelCard
from jobs.errors import Problem
from jobs.fingerprint import ID
from jobs.image_sets import ImageSets
from jobs.pictures import ImageSet


async def asked_model(
    menu: Menu, tenant: str, model_id: str | None, problems: list[Problem]
) -> ModelCard | None:
    """The model of a field `model`; one that the tenant does not know becomes a problem."""
    if model_id is None:
        return None
    served = await menu.model(model_id, tenant=tenant)
    if served is None:
        message = await menu.unknown(model_id, tenant=tenant)
        problems.append(Problem(field="model", message=message))
        return None
    return served.card


async def asked_set(
    image_sets: ImageSets, tenant: str, set_id: str | None, problems: list[Problem]
) -> ImageSet | None:
    """The image set of a field `image_set`; one that the tenant does not have becomes a problem."""
    if set_id is None:
        return None
    record = await image_sets.record(tenant, set_id) if re.fullmatch(ID, set_id) else None
    if record is None:
        message = "is no image set of yours (any more); send the pictures to /api/v1/image-sets"
        problems.append(Problem(field="image_set", message=message))
        return None
    return record.image_set
