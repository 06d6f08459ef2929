"""The models that a worker holds: found in folders, loaded on demand, verified, the least used let go."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from jobs.catalogue import ModelCard, RepairedCard
from jobs.errors import ModelUnavailable
from jobs.job import ModelRef
from workers.models.architectures import build
from workers.models.declaration import Declaration, read_declaration
from workers.models.intake import Intake
from workers.models.patch_files import read_patches
from workers.models.published import file_sha256, read_published
from workers.models.repairing import repair
from workers.tensors.patch_gaussians import PatchGaussian

MOST_REPAIRED = 4  # loaded at once
PHANTOMS = Path(__file__).parents[1] / "phantom" / "weights"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """A loaded model: its card, its network in evaluation mode on a device, its dtype, and how to feed it.

    `patches` are the statistics that lie beside it, if any do.
    """

    card: ModelCard
    network: nn.Module
    dtype: str
    intake: Intake
    default_layer: str | None
    pinned: bool
    n_bytes: int
    patches: PatchGaussian | None = None


class Repository:
    """Models of a folder, each `<id>/model.toml` and weights, and the phantoms that come with the package.

    A folder whose model.toml is wrong is logged and left out. Of equal ids the operator's folder wins.
    """

    def __init__(self, models: Path | None = None, *, phantoms: bool = True, max_bytes: int = 0) -> None:
        """`max_bytes` of weights stay loaded, the least recently used go first; 0 means no limit.

        Pinned models stay, and so does the model that was asked for last, whatever its size, with those that
        it stands beside.
        """
        self._max_bytes = max_bytes
        self._known: dict[str, tuple[Path, Declaration, ModelCard]] = {}
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        for folder in _folders(models, PHANTOMS if phantoms else None):
            self._learn(folder)

    def cards(self) -> tuple[ModelCard, ...]:
        """Every model that can be asked for, by id."""
        return tuple(self._known[model][2] for model in sorted(self._known))

    def get(self, ref: ModelRef, device: str = "cpu", *, beside: Sequence[ModelRef] = ()) -> Model:
        """The model of a reference, loaded if it is not; a repaired one by itself, not as a copy of its base.

        Those that it stands `beside` are in use, and are not let go for it. Raises ModelUnavailable, and
        NotExplainable for a repair that does not fit the network.
        """
        base = ref.base
        if base.id not in self._known:
            raise ModelUnavailable(f"this worker has no model {base.id!r}")
        if self._known[base.id][2].digest != base.digest:
            raise ModelUnavailable(f"this worker has another version of {base.id!r} than was asked for")
        if ref.repair is not None and ref.repair.digest != ref.digest:
            raise ModelUnavailable(f"what is cut for {ref.id!r} is not what its digest says")
        if ref.own_key not in self._loaded:
            self._loaded[ref.own_key] = _load(*self._known[base.id], ref, device)
        self._loaded.move_to_end(ref.own_key)
        self._let_go([one.own_key for one in beside])
        return self._loaded[ref.own_key]

    def let_another_go(self, *kept: ModelRef) -> bool:
        """Make room for some models: the least recently used one of the others goes, if any may."""
        keys = [ref.own_key for ref in kept]
        for key, model in self._loaded.items():
            if not model.pinned and key not in keys:
                del self._loaded[key]
                return True
        return False

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory, the least recently used first."""
        return tuple(model.card.id for model in self._loaded.values())

    @property
    def loaded_bytes(self) -> int:
        """Parameters and buffers of the models in memory."""
        return sum(model.n_bytes for model in self._loaded.values())

    def _learn(self, folder: Path) -> None:
        if folder.name in self._known:
            log.warning("model %s in %s is hidden by another of its name", folder.name, folder.parent)
            return
        try:
            self._known[folder.name] = (folder, *read_declaration(folder))
        except ModelUnavailable as error:
            log.error("left out: %s", error.detail)

    def _let_go(self, kept: Sequence[str]) -> None:
        for key, model in list(self._loaded.items())[:-1]:
            if not model.pinned and key not in kept and self._is_too_much(model):
                del self._loaded[key]

    def _is_too_much(self, model: Model) -> bool:
        """Whether a model of its sort has to go: anybody may make repaired ones, as many as they like."""
        if isinstance(model.card, RepairedCard):
            repaired = sum(isinstance(one.card, RepairedCard) for one in self._loaded.values())
            if repaired > MOST_REPAIRED:
                return True
        return 0 < self._max_bytes < self.loaded_bytes


def _folders(*roots: Path | None) -> Iterator[Path]:
    for root in roots:
        if root is not None and not root.is_dir():
            log.error("there is no folder %s", root)
        elif root is not None:
            yield from sorted(path.parent for path in root.glob("*/model.toml"))


def _load(folder: Path, declaration: Declaration, card: ModelCard, ref: ModelRef, device: str) -> Model:
    if read_declaration(folder)[1].digest != card.digest:
        raise ModelUnavailable(f"{card.id}: its files are not those that this worker has seen: restart it")
    tensors, patches = _read_weights(folder, declaration), read_patches(folder, declaration.input)
    try:
        network = build(declaration.architecture, declaration.arguments, seed=declaration.seed)
        if tensors is not None:
            network.load_state_dict(tensors, strict=True)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ModelUnavailable(f"{card.id}: {declaration.architecture} does not fit: {error}") from error
    if ref.repair is not None:
        repair(network, ref.repair.cuts)
        card = card.repaired(ref)
    network.to(device, dtype=getattr(torch, declaration.dtype))
    intake = Intake(declaration.input)
    _try(network, intake, card, device)
    state = [*network.parameters(), *network.buffers()]
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in state)
    return Model(
        card,
        network,
        declaration.dtype,
        intake,
        declaration.default_layer,
        declaration.pinned and ref.repair is None,
        n_bytes,
        patches,
    )


def _read_weights(folder: Path, declaration: Declaration) -> Mapping[str, Tensor] | None:
    """The tensors, verified; None when the weights are random."""
    if declaration.weights == "random":
        return None
    if declaration.published:
        return read_published(declaration.architecture, declaration.weights)
    path = folder / declaration.weights
    try:
        found = file_sha256(path)
        if found != declaration.sha256:
            raise ModelUnavailable(f"{folder.name}: {path.name} has sha256 {found}, not that of model.toml")
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{folder.name}: {path.name} cannot be read: {error}") from error


def _try(network: nn.Module, intake: Intake, card: ModelCard, device: str) -> None:
    """One black image must come out as one logit for each label."""
    black = intake.black.expand(-1, -1, card.input.height, card.input.width)
    black = black.to(next(network.parameters(), black.to(device)))
    try:
        with torch.no_grad():
            shape = tuple(network(black).shape)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ModelUnavailable(f"{card.id}: the network cannot take {tuple(black.shape)}: {error}") from error
    if shape != (1, len(card.labels)):
        raise ModelUnavailable(f"{card.id}: {len(card.labels)} labels, but the network answers {shape}")
