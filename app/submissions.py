"""From what a client wishes to jobs: everything is checked, and everything that is wrong is named at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from app.access import ApiKey
from app.errors import invalid, problems_of
from app.images import Darkroom, Picture
from app.menu import Menu
from app.requests import Fields, Submission
from app.schemas import Asked, BatchFields, ExplanationFields, Spec
from app.uploads.decoder import Decoder
from app.webhooks.wishes import webhook_of
from jobs.catalogue import ModelCard, Need
from jobs.errors import Problem
from jobs.fingerprint import job_id
from jobs.job import Job, Lane, MethodRef, Opened, Terms, Webhook, WebhookEvent

FIELDS = tuple(ExplanationFields.model_fields)
BATCH_FIELDS = tuple(BatchFields.model_fields)
GIVE_REFERENCE = "send a second image, as a file part `reference` of a form or as base64 in JSON"
BULK_COST = (
    100.0  # forward passes; what costs more waits in the lane of bulk unless the client says otherwise
)
PLACEHOLDERS: Fields = {"model": "-", "method": "-", "specs": [{}]}


@dataclass(frozen=True)
class Wish:
    """One explanation that can be computed: a known method, complete parameters, classes that exist."""

    method: MethodRef
    takes_reference: bool
    targets: tuple[int, ...]
    metrics: tuple[str, ...]
    seed: int
    terms: Terms


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
        asked = fields.get("webhook_events") or (WebhookEvent.COMPLETED,)
        events = tuple(dict.fromkeys(asked))
        return replace(self, terms=replace(self.terms, webhook=webhook, webhook_events=events))


class Desk:
    """Turns submissions of clients into jobs."""

    def __init__(self, menu: Menu, decoder: Decoder, secret: bytes) -> None:
        self._menu = menu
        self._darkroom = Darkroom(decoder, secret)
        self._secret = secret

    async def order(self, tenant: str, submission: Submission, key: ApiKey | None = None) -> Order:
        """The order of one submission; raises `InvalidRequest` or `Refused`."""
        problems = list(submission.problems)
        fields = _valid(ExplanationFields, submission.fields, "", problems)
        model = await self._model(fields.get("model"), problems)
        wish = self._wish(fields, model, "", problems)
        self._check_reference([fields], submission, problems)
        webhook = webhook_of(fields, key, problems)
        [order] = await self._orders(tenant, submission, model, [wish], problems)
        return order.calling(webhook, fields)

    async def orders(self, tenant: str, submission: Submission, key: ApiKey | None = None) -> list[Order]:
        """The orders of a batch in the order of its specs; raises like `order`."""
        problems = list(submission.problems)
        fields = _valid(BatchFields, submission.fields, "", problems)
        model = await self._model(fields.get("model"), problems)
        specs, wishes = [], []
        for index, spec in enumerate(fields.get("specs", ())):
            prefix = f"specs.{index}."
            specs.append(_valid(Spec, spec, prefix, problems))
            wishes.append(self._wish(specs[-1], model, prefix, problems))
        self._check_reference(specs, submission, problems)
        webhook = webhook_of(fields, key, problems)
        orders = await self._orders(tenant, submission, model, wishes, problems)
        return [order.calling(webhook, fields) for order in orders]

    async def _model(self, model_id: str | None, problems: list[Problem]) -> ModelCard | None:
        if model_id is None:
            return None
        served = await self._menu.model(model_id)
        if served is None:
            names = ", ".join(sorted(each.card.id for each in await self._menu.models())) or "none just now"
            problems.append(Problem(field="model", message=f"is not known; there are: {names}"))
            return None
        return served.card

    def _wish(
        self, fields: Fields, model: ModelCard | None, prefix: str, problems: list[Problem]
    ) -> Wish | None:
        method = None
        if "method" in fields:
            method, wrong = self._menu.method(fields["method"], fields.get("params", {}), prefix=prefix)
            problems.extend(wrong)
        targets = _indices(fields.get("target", ()), model, prefix, problems) if model else ()
        metrics = tuple(dict.fromkeys(fields.get("metrics", ())))
        known = [card.name for card in self._menu.catalogue.metrics]
        if unknown := [name for name in metrics if name not in known]:
            there_are = ", ".join(known) or "none"
            message = f"{', '.join(unknown)} is not known; there are: {there_are}"
            problems.append(Problem(field=f"{prefix}metrics", message=message))
        if method is None:
            return None
        terms = self._terms(method, max(1, len(targets)), fields)
        takes_reference = self._takes_reference(method.name)
        return Wish(method, takes_reference, targets, metrics, fields.get("seed", 0), terms)

    def _terms(self, method: MethodRef, n_targets: int, fields: Fields) -> Terms:
        card = self._menu.catalogue.method(method.name)
        cost = card.cost_of(method.params, n_targets) if card else 1.0
        lane = fields.get("lane") or (Lane.BULK if cost > BULK_COST else Lane.INTERACTIVE)
        return Terms(lane=lane, cost=cost, deadline_seconds=fields.get("deadline"))

    def _check_reference(
        self, specs: Sequence[Fields], submission: Submission, problems: list[Problem]
    ) -> None:
        """It must be there when a method needs it, and must not be when none does: nothing is ignored."""
        names = list(dict.fromkeys(spec.get("method", "") for spec in specs))
        needy = [name for name in names if self._takes_reference(name)]
        if needy and "reference" not in submission.files:
            message = f"is required by {', '.join(needy)}: {GIVE_REFERENCE}"
            problems.append(Problem(field="reference", message=message))
        elif names and not needy and "reference" in submission.files and all(map(self._is_known, names)):
            those = [card.name for card in self._menu.catalogue.methods if self._takes_reference(card.name)]
            message = f"is of no use to {', '.join(names)}; it is for: {', '.join(those) or 'no method'}"
            problems.append(Problem(field="reference", message=message))

    def _is_known(self, method: str) -> bool:
        return self._menu.catalogue.method(method) is not None

    def _takes_reference(self, method: str) -> bool:
        card = self._menu.catalogue.method(method)
        return card is not None and Need.REFERENCE in card.needs

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
        if problems or "image" not in pictures or model is None:
            raise invalid(problems)
        image, reference = pictures["image"], pictures.get("reference")
        return [
            self._order(tenant, model, wish, image, reference if wish.takes_reference else None)
            for wish in wishes
            if wish
        ]

    def _order(
        self, tenant: str, model: ModelCard, wish: Wish, image: Picture, reference: Picture | None
    ) -> Order:
        name = job_id(
            self._secret,
            tenant=tenant,
            image_digest=image.ref.digest,
            model=model.ref,
            method=wish.method,
            targets=wish.targets,
            metrics=wish.metrics,
            seed=wish.seed,
            reference_digest=reference.ref.digest if reference else None,
        )
        job = Job(
            id=name,
            tenant=tenant,
            model=model.ref,
            method=wish.method,
            image=image.ref,
            reference=reference.ref if reference else None,
            targets=wish.targets,
            metrics=wish.metrics,
            seed=wish.seed,
        )
        return Order(Opened(job, image.pixels, reference.pixels if reference else None), wish.terms)


def _valid(kind: type[Asked], fields: Fields, prefix: str, problems: list[Problem]) -> Fields:
    """The fields that are right, as the model reads them; the others become problems."""
    try:
        return dict(kind.model_validate(fields))
    except ValidationError as error:
        problems.extend(problems_of(error, prefix=prefix))
        wrong = {each["loc"][0] for each in error.errors(include_input=False) if each["loc"]}
    right = {name: value for name, value in fields.items() if name not in wrong}
    placeholders = {name: PLACEHOLDERS[name] for name in kind.model_fields.keys() & PLACEHOLDERS.keys()}
    whole = kind.model_validate(placeholders | right)
    return {name: value for name, value in whole if name in right}


def _indices(
    targets: Sequence[int | str], model: ModelCard, prefix: str, problems: list[Problem]
) -> tuple[int, ...]:
    """Class indices of indices and labels, each once; a label wins over an index that is written as text."""
    found: list[int | None] = [_index(target, model) for target in targets]
    if unknown := [str(target) for target, index in zip(targets, found, strict=True) if index is None]:
        message = (
            f"{', '.join(unknown)} is no class of {model.id}, which has {len(model.labels)} (0 is the first)"
        )
        problems.append(Problem(field=f"{prefix}target", message=message))
    return tuple(dict.fromkeys(index for index in found if index is not None))


def _index(target: int | str, model: ModelCard) -> int | None:
    if isinstance(target, str) and target in model.labels:
        return model.labels.index(target)
    index = int(target) if isinstance(target, int) or (target.isascii() and target.isdigit()) else -1
    return index if 0 <= index < len(model.labels) else None
