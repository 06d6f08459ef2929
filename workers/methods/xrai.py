"""XRAI: regions of the image, those first in which integrated gradients are densest."""

from __future__ import annotations

from dataclasses import replace

import torch

from jobs.catalogue import Family, Need
from workers.declare import Method, Relevance
from workers.perturbation.regions import regions_of
from workers.probe import Probe
from workers.probe.paths import PathParams
from workers.probe.straight import straight
from workers.tensors.densest_first import densest_first


class XraiParams(PathParams):
    """How exactly the gradients are integrated; the regions are those of the paper."""


def explain(probe: Probe, params: XraiParams) -> Relevance:
    """How much of the score each pixel of a region holds, on average over the region.

    A = the mean of integrated gradients from black and from white, summed over channels.
    Regions are Felzenszwalb's segments at six scales. With M covered so far, the next is the region s of the
    largest gain  sum of A over s without M / area of s without M, and its new pixels get this gain.
    So the map sums to what A sums to, S_t(x) less the mean of S_t(black) and S_t(white).
    Kapishnikov et al.: XRAI, 2019, arXiv:1906.02825, algorithm 1.
    """
    integrated = straight(probe, params, "black", "white")
    regions = [torch.from_numpy(masks) for masks in regions_of(probe)]
    images = probe.image_of_row.tolist()
    found = [
        densest_first(attribution, regions[image])
        for attribution, image in zip(integrated.maps.cpu(), images, strict=True)
    ]
    return replace(
        integrated,
        maps=torch.stack([maps for maps, _ in found]).to(integrated.maps),
        details=tuple(
            {"regions": len(regions[image]), "used": len(order)}
            for image, (_, order) in zip(images, found, strict=True)
        ),
    )


METHOD = Method(
    name="xrai",
    title="XRAI",
    version=1,
    family=Family.GRADIENT,
    needs=frozenset({Need.PATH_GRADIENTS, Need.SCORES}),
    signed=True,
    class_specific=True,
    cost=68,
    scales_with="nodes",
    requires="Any network that a gradient can be taken of.",
    summary="Regions of the image in the order in which integrated gradients are densest in them.",
    weaknesses=(
        "Shows regions that the segmentation knows; what has no edge of its own is drawn too large.",
        "The ways from black and from white lead through images that the network has never seen.",
    ),
    reference="Kapishnikov et al. 2019, arXiv:1906.02825",
    params=XraiParams,
    explain=explain,
)
