"""An explanation as a notebook shows it: pictures, predictions, and what a reader should know."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rationale.explanations import Explained, Explanation

WIDTH = 224  # pixels of a picture
WARNING = "A map shows what the model used. It does not show where a finding is."


def html_of(explanation: Explanation) -> str:
    """HTML that needs nothing else; every word of a model or a service is escaped."""
    document = explanation.document
    title = f"{document.method.name} on {document.model.id}"
    predictions = ", ".join(f"{one.label} {one.score:.3f}" for one in explanation.predictions)
    pictures = "".join(_figure(one) for one in explanation.explained.values())
    findings = "".join(f"<li>{escape(text)}</li>" for text in [*_findings(explanation), WARNING])
    return (
        f"<div><strong>{escape(title)}</strong><br>{escape(predictions)}"
        f'<div style="display:flex;flex-wrap:wrap;gap:8px">{pictures}</div><ul>{findings}</ul></div>'
    )


def _figure(explained: Explained) -> str:
    picture = base64.b64encode(explained.overlay_png).decode()
    words = escape(f"{explained.label} {explained.score:.3f}")
    return (
        f'<figure style="margin:0"><img alt="{words}" width="{WIDTH}" src="data:image/png;base64,{picture}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _findings(explanation: Explanation) -> list[str]:
    trust = explanation.trust
    pair = [finding.text for finding in trust.pair.findings] if trust.pair else []
    return [*(finding.text for target in trust.targets for finding in target.findings), *pair]
