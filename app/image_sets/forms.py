"""The request body of an image set as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]  # Any: parts of an OpenAPI document

_FILE: Json = {"type": "string", "format": "binary"}
_PICTURES: Json = {"type": "array", "items": _FILE}
SET_FORM: Json = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "dependentRequired": {"masks": ["images"], "labels": ["images"]},
    "dependentSchemas": {"archive": {"maxProperties": 1}},
    "properties": {
        "images": {
            **_PICTURES,
            "minItems": 1,
            "description": "PNG, JPEG, WebP or TIFF; each filename names its picture, and no other.",
        },
        "masks": {
            **_PICTURES,
            "description": "Where the findings lie; each is as large as its image and named like it.",
        },
        "labels": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "An object: name of a picture to its class, a label or an index.",
        },
        "archive": {
            **_FILE,
            "description": "A zip archive of images and masks, perhaps with labels: the whole set, so that "
            "nothing else stands in the form.",
        },
    },
}
SET_BODY: Json = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": SET_FORM},
            "application/zip": {"schema": _FILE},
        },
    }
}
