"""All kinds of analyses that can be asked for at `/api/v1/analyses`, in the order of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from app.analyses.kind import Kind
from app.analyses.kinds.causal_fidelity import CAUSAL_FIDELITY
from app.analyses.kinds.causal_graph import CAUSAL_GRAPH
from app.analyses.kinds.causal_reliability import CAUSAL_RELIABILITY
from app.analyses.kinds.causal_repair import CAUSAL_REPAIR

KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (CAUSAL_GRAPH, CAUSAL_RELIABILITY, CAUSAL_FIDELITY, CAUSAL_REPAIR)
}
