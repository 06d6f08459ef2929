"""Causal graphs as GraphML and as pictures: what is read is what there was, also of odd and large ones."""

from __future__ import annotations

import io

import networkx
import numpy as np
from PIL import Image

from app.analyses.causal.drawing import DISTRACTING, MOST_OTHERS, NECESSARY, OTHER, drawn
from app.analyses.causal.graphml import graphml
from jobs.causal import CLASSES, CausalGraph, Edge
from tests.unit.app.analyses.graphs import graph, layer

EDGES = (
    Edge(node=0, layer="block.1", child=1, response=-0.5),
    Edge(node=2, layer=CLASSES, child=2, response=2.0),
)
SMALL = graph(layer("block.0", -1.5, 0, 2, edges=EDGES), layer("block.1", 0, -1e-9))


def test_graphml_is_read_as_it_was_written() -> None:
    network = networkx.parse_graphml(graphml(SMALL).decode())
    assert network.is_directed()
    assert network.graph | {"node_default": {}, "edge_default": {}} == {
        "node_default": {},
        "edge_default": {},
        "model": SMALL.model.id,
        "weights": SMALL.model.digest,
        "target": 2,
        "label": "nodule",
        "images": 7,
        "intervention": "remove",
        "level": 0.05,
        "correction": "none",
        "seed": 0,
    }
    assert dict(network.nodes["block.0/0"]) == {
        "layer": "block.0",
        "index": 0,
        "role": "necessary",
        "effect": -1.5,
        "standard_error": 0.1,
        "z": -1.5,
        "p_value": 0.5,
    }
    assert "role" not in network.nodes["block.0/1"]
    assert dict(network.nodes["classes/2"]) == {"layer": "classes", "index": 2}
    assert set(network.edges(data="response")) == {
        ("block.0/0", "block.1/1", -0.5),
        ("block.0/2", "classes/2", 2.0),
    }


def test_odd_words_are_escaped_or_replaced() -> None:
    odd = graph(layer('<a href="x">&', -1), label="\x00\x1b]]>\ud800é")
    network = networkx.parse_graphml(graphml(odd).decode())
    assert network.graph["label"] == "\ufffd\ufffd]]>\ufffdé"
    assert network.nodes['<a href="x">&/0']["effect"] == -1


def test_a_picture_has_roles_in_their_colours() -> None:
    pixels = pixels_of(SMALL)
    colours = {tuple(int(value) for value in colour) for colour in pixels.reshape(-1, 3)[::1]}
    assert {NECESSARY, DISTRACTING, OTHER} <= colours


def test_large_graphs_and_empty_ones_are_drawn() -> None:
    effects = [-1.0 if index % 7 == 0 else 0.0 for index in range(64)]
    edges = tuple(Edge(node=index, layer="layer3", child=7, response=index) for index in range(0, 64, 7))
    layers = [layer(f"layer{number}", *effects, edges=edges if number == 2 else ()) for number in range(5)]
    five = pixels_of(graph(*layers))
    assert five.shape[1] < 4000
    huge = pixels_of(graph(layer("wide", *([0.0] * 5000))))
    assert huge.shape[1] < 2000
    assert MOST_OTHERS < 5000
    deep = pixels_of(graph(*(layer(f"features.denseblock.{number}.conv", *effects) for number in range(150))))
    assert deep.shape[0] * deep.shape[1] < 20_000_000
    assert pixels_of(graph()).shape == pixels_of(graph(label="<b>" * 99)).shape


def pixels_of(network: CausalGraph) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(drawn(network))))
