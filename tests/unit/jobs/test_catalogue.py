"""The menu: found by name, equal menus have equal digests."""

from __future__ import annotations

from jobs.catalogue import Catalogue, Family, InputSpec, MethodCard, ModelCard, Need


def method(name: str, *, version: int = 1) -> MethodCard:
    return MethodCard(
        name=name,
        title=name.title(),
        version=version,
        family=Family.GRADIENT,
        needs=(Need.INPUT_GRADIENTS,),
        signed=True,
        class_specific=True,
        cost=2,
        requires="",
        weaknesses=(),
        summary="How the score changes with each pixel.",
        reference="Simonyan 2013",
        parameters={"type": "object", "properties": {}},
    )


def test_a_method_is_found_by_its_name() -> None:
    catalogue = Catalogue(methods=(method("saliency"), method("occlusion")))
    assert catalogue.method("occlusion") == method("occlusion")
    assert catalogue.method("unheard-of") is None


def test_equal_menus_have_equal_digests() -> None:
    one = Catalogue(methods=(method("saliency"),))
    assert one.digest == Catalogue.model_validate_json(one.model_dump_json()).digest
    assert one.digest != Catalogue(methods=(method("saliency", version=2),)).digest


def test_a_model_is_referred_to_by_name_and_digest() -> None:
    card = ModelCard(
        id="net",
        digest="sha256:" + "0" * 64,
        title="Net",
        architecture="test",
        input=InputSpec(mode="rgb", height=224, width=224),
        labels=("cat", "dog"),
    )
    assert (card.ref.id, card.ref.digest) == (card.id, card.digest)
