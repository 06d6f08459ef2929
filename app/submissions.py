"""From what a client wishes to jobs: everything is checked, and everything that is wrong is named at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.access import ApiKey
from app.asked import asked_model
from app.errors import invalid
from app.fields import valid
from app.graphs import graphs_for
from app.images import Darkroom, Picture, picture_of
from app.menu import Menu
from app.others import named_models
from app.requests import Fields, Submission
from app.schemas import BatchFields, ExplanationFields, Spec
from app.uploads.decoder import Decoded, Decoder
from app.webhooks.wishes import events_of, webhook_of
from app.wishes import Wish, Wishes
from jobs.catalogue import ModelCard, Need
from jobs.errors import Problem
from jobs.excerpts import GraphExcerpt
from jobs.fingerprint import named_job
from jobs.graphs import Graphs
from jobs.job import Job, Opened, Terms, Webhook
from jobs.registry import ServedModel

FIELDS = tuple(ExplanationFields.model_fields)
BATCH_FIELDS = tuple(BatchFields.model_fields)


@dataclass(frozen=True)
class Order:
    """A job with its pixels, and the terms on which it is to be accepted."""

    opened: Opened
    terms: Terms

    @property
    def job(self) -> Job:
        """The job itself."""
        return self.opened.job

    def calling(self, webhook: Webhook | None, fields: Fields) -> Order:
        """This order, and whom to call upon what."""
        if webhook is None:
            return self
        terms = replace(self.terms, webhook=webhook, webhook_events=events_of(fields))
        return replace(self, terms=terms)


class Desk:
    """Turns submissions of clients into jobs."""

    def __init__(self, menu: Menu, decoder: Decoder, graphs: Graphs, secret: bytes) -> None:
        self._menu, self._wishes, self._graphs = menu, Wishes(menu), graphs
        self._darkroom = Darkroom(decoder, secret)
        self._secret = secret

    async def order(self, tenant: str, submission: Submission, key: ApiKey | None = None) -> Order:
        """The order of one submission; raises `InvalidRequest` or `Refused`."""
        problems = list(submission.problems)
        fields = valid(ExplanationFields, submission.fields, "", problems)
        model = await asked_model(self._menu, tenant, fields.get("model"), problems)
        wish = self._wishes.wish(fields, model, "", problems, await self._others(tenant, [fields]))
        [wish] = await self._with_graphs(tenant, model, {"": wish}, problems)
        self._wishes.check_files([fields], submission, problems)
        webhook = webhook_of(fields, key, problems)
        [order] = await self._orders(tenant, submission, model, [wish], problems)
        return order.calling(webhook, fields)

    async def orders(self, tenant: str, submission: Submission, key: ApiKey | None = None) -> list[Order]:
        """The orders of a batch in the order of its specs; raises like `order`."""
        problems = list(submission.problems)
        fields = valid(BatchFields, submission.fields, "", problems)
        model = await asked_model(self._menu, tenant, fields.get("model"), problems)
        asked = list(enumerate(fields.get("specs", ())))
        specs = [valid(Spec, spec, f"specs.{index}.", problems) for index, spec in asked]
        others = await self._others(tenant, specs)
        wished = {
            prefix: self._wishes.wish(spec, model, prefix, problems, others)
            for prefix, spec in ((f"specs.{index}.", spec) for index, spec in enumerate(specs))
        }
        wishes = await self._with_graphs(tenant, model, wished, problems)
        self._wishes.check_files(specs, submission, problems)
        webhook = webhook_of(fields, key, problems)
        orders = await self._orders(tenant, submission, model, wishes, problems)
        return [order.calling(webhook, fields) for order in orders]

    def made(
        self, tenant: str, model: ModelCard, fields: Fields, pictures: Mapping[str, Picture]
    ) -> Order | None:
        """The order of fields that nobody sent; None where the menu has nothing of the kind."""
        problems: list[Problem] = []
        wish = self._wishes.wish(fields, model, "", problems)
        return None if wish is None or problems else self._order(tenant, model, wish, pictures)

    def drawn(self, tenant: str, decoded: Decoded) -> Picture:
        """A picture of pixels that nobody sent."""
        return picture_of(self._secret, tenant, decoded)

    async def _with_graphs(
        self,
        tenant: str,
        model: ModelCard | None,
        wishes: Mapping[str, Wish | None],
        problems: list[Problem],
    ) -> list[Wish | None]:
        """The wishes by the prefix of their fields, with the causal graphs for those that need some."""
        needy = self._menu.catalogue.in_need(Need.GRAPH)
        found: list[Wish | None] = []
        known: Mapping[int, GraphExcerpt] | None = None
        for prefix, wish in wishes.items():
            if model is None or wish is None or wish.method.name not in needy:
                found.append(wish)
                continue
            known = await self._graphs.excerpts(tenant, model.ref) if known is None else known
            found.append(replace(wish, graphs=graphs_for(wish, model, known, prefix, problems)))
        return found

    async def _others(self, tenant: str, specs: Sequence[Fields]) -> Sequence[ServedModel]:
        """All models, where metrics name some; one that was just announced is among them."""
        named = named_models(specs, self._menu.catalogue)
        return await self._menu.models(named, tenant=tenant) if named else ()

    async def _orders(
        self,
        tenant: str,
        submission: Submission,
        model: ModelCard | None,
        wishes: Sequence[Wish | None],
        problems: list[Problem],
    ) -> list[Order]:
        """Decode the files last: with other fields wrong, a bad file is one more of them."""
        pictures = await self._darkroom.pictures(tenant, submission.files, problems)
        _check_mask(pictures, problems)
        if problems or "image" not in pictures or model is None:
            raise invalid(problems)
        return [self._order(tenant, model, wish, pictures) for wish in wishes if wish]

    def _order(self, tenant: str, model: ModelCard, wish: Wish, pictures: Mapping[str, Picture]) -> Order:
        image = pictures["image"]
        reference, mask = (pictures[name] if name in wish.files else None for name in ("reference", "mask"))
        job = named_job(
            self._secret,
            tenant=tenant,
            model=model.ref,
            method=wish.method,
            image=image.ref,
            reference=reference.ref if reference else None,
            mask=mask.ref if mask else None,
            graphs=wish.graphs,
            targets=wish.targets,
            metrics=wish.metrics,
            seed=wish.seed,
        )
        beside = (picture.pixels if picture else None for picture in (reference, mask))
        return Order(Opened(job, image.pixels, *beside), wish.terms)


def _check_mask(pictures: Mapping[str, Picture], problems: list[Problem]) -> None:
    """It must lie upon the image, pixel by pixel."""
    if {"image", "mask"} <= pictures.keys():
        image, mask = (f"{ref.width} x {ref.height}" for ref in (pictures["image"].ref, pictures["mask"].ref))
        if image != mask:
            message = f"must be as large as the image, {image} pixels (width x height), but is {mask}"
            problems.append(Problem(field="mask", message=message))
