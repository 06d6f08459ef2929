"""Counterfactual: the smallest change of the image after which the network says another class."""

from __future__ import annotations

from pydantic import Field

from jobs.catalogue import Family, Need
from jobs.errors import NotExplainable
from workers.declare import Method, Relevance
from workers.perturbation.nearest_changes import Changes, SearchParams, search
from workers.perturbation.rooms import Room
from workers.perturbation.wishes import Wish, Wishes, said
from workers.probe import Probe


class CounterfactualParams(SearchParams):
    """Where the change is to lead, and what makes it small."""

    towards: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="For the predicted class: the class that the changed image is to get; none means "
        "whichever other is nearest. A class that is not predicted is itself where the change leads.",
    )


def explain(probe: Probe, params: CounterfactualParams) -> Relevance:
    """What would have to be different for another answer.

    arg min over x' of max over lambda of  lambda (f(x') - y')^2 + d(x, x')                          (eq. 2)
    with f - y' what the margin z_k - max over i != k of z_i still lacks, d = |u|_2^2 + beta |u|_1 for a
    change x' - x = G u between black and white, G a Gaussian, and lambda each image's own: raised until the
    class changes, then lowered for a nearer x'.
    Wachter, Mittelstadt, Russell: Counterfactual Explanations without Opening the Black Box, 2017,
    arXiv:1711.00399.
    """
    wishes = Wishes(probe, _wishes(probe, params.towards))
    room = Room.between_black_and_white(probe, smoothness=params.smoothness)

    def describe(changes: Changes) -> Relevance:
        return Relevance(
            maps=changes.moves.abs().sum(dim=1),
            native_grid=probe.input_size,
            stops=changes.stops,
            not_found=~changes.found,
            details=tuple({**wishes.words(row), **changes.words(row)} for row in range(len(probe))),
            parts=changes.parts,
        )

    return search(probe, wishes, room, params, describe)


def _wishes(probe: Probe, towards: int | None) -> list[Wish]:
    classes = probe.logits.shape[1]
    if towards is not None and towards >= classes:
        message = f"class {towards} is not one of the {classes} that the model has"
        raise NotExplainable.about("towards", message)
    return [
        _wish(target, now, towards) for target, now in zip(probe.targets.tolist(), said(probe), strict=True)
    ]


def _wish(target: int, now: int, towards: int | None) -> Wish:
    if target != now:
        return Wish(target)
    if towards is None:
        return Wish(target, sign=-1)
    return Wish(towards, missing="the image has the class `towards` already" if towards == now else None)


METHOD = Method(
    name="counterfactual",
    title="Counterfactual",
    version=1,
    family=Family.CONTRAST,
    needs=frozenset({Need.PATH_GRADIENTS}),
    signed=False,
    class_specific=True,
    cost=360,
    scales_with="steps",
    requires="Any network that a gradient can be taken of.",
    summary="How much each pixel changes in the smallest change after which the network says another class.",
    weaknesses=(
        "Small changes that move a network need mean nothing to people: look at the changed image.",
        "The search finds a near change, not surely the nearest; another start may end elsewhere.",
        "It says what would be enough, not what the answer rests on.",
    ),
    reference="Wachter et al. 2017, arXiv:1711.00399",
    params=CounterfactualParams,
    explain=explain,
)
