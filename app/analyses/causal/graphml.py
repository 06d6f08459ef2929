"""A causal graph as GraphML (http://graphml.graphdrawing.org), as other programs read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from jobs.causal import CLASSES, CausalGraph, Layer, Node

XMLNS = "http://graphml.graphdrawing.org/xmlns"
GRAPH = {
    "model": "string",
    "weights": "string",
    "target": "int",
    "label": "string",
    "images": "int",
    "intervention": "string",
    "level": "double",
    "correction": "string",
    "seed": "long",
}
NODE = {
    "layer": "string",
    "index": "int",
    "role": "string",
    "effect": "double",
    "standard_error": "double",
    "z": "double",
    "p_value": "double",
}
EDGE = {"response": "double"}
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # nor can it be escaped

Values = Mapping[str, object]


def graphml(graph: CausalGraph) -> bytes:
    """All nodes that were tested, and the class; edges go up. A node is called `<layer>/<index>`."""
    root = Element("graphml", xmlns=XMLNS)
    for kind, names in (("graph", GRAPH), ("node", NODE), ("edge", EDGE)):
        for name, type_ in names.items():
            words = {"for": kind, "attr.name": name, "attr.type": type_}
            SubElement(root, "key", id=f"{kind}.{name}", attrib=words)
    drawn = SubElement(root, "graph", id="causal", edgedefault="directed")
    _data(drawn, "graph", _values(graph))
    for layer in graph.layers:
        for node in layer.nodes:
            _node(drawn, layer.name, node.index, _measured(node))
    _node(drawn, CLASSES, graph.target, {})
    for layer in graph.layers:
        _edges(drawn, layer)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _values(graph: CausalGraph) -> Values:
    treatment = graph.treatment
    return {
        "model": graph.model.id,
        "weights": graph.model.digest,
        "target": graph.target,
        "label": graph.label,
        "images": graph.images,
        "intervention": treatment.intervention.value,
        "level": treatment.level,
        "correction": treatment.correction.value,
        "seed": treatment.seed,
    }


def _measured(node: Node) -> Values:
    values = node.model_dump(include=NODE.keys() - {"role"}, exclude={"index"})
    return values if node.role is None else {**values, "role": node.role.value}


def _node(drawn: Element, layer: str, index: int, values: Values) -> None:
    node = SubElement(drawn, "node", id=_name(layer, index))
    _data(node, "node", {"layer": layer, "index": index, **values})


def _edges(drawn: Element, layer: Layer) -> None:
    for edge in layer.edges:
        ends = {"source": _name(layer.name, edge.node), "target": _name(edge.layer, edge.child)}
        _data(SubElement(drawn, "edge", ends), "edge", {"response": edge.response})


def _data(parent: Element, kind: str, values: Values) -> None:
    for name, value in values.items():
        SubElement(parent, "data", key=f"{kind}.{name}").text = NO_XML.sub("\ufffd", str(value))


def _name(layer: str, index: int) -> str:
    return NO_XML.sub("\ufffd", f"{layer}/{index}")
