"""Every explanation method, listed by hand in the order of the menu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from workers.declare import Method
from workers.methods import (
    ablation_cam,
    anchors,
    attention_rollout,
    blur_ig,
    cam,
    cem,
    contextual_decomposition,
    contrastive_excitation_backprop,
    contrastive_grad_cam,
    counterfactual,
    counterfactual_region,
    deconvnet,
    deep_shap,
    deep_taylor,
    deeplift,
    eigen_cam,
    excitation_backprop,
    extremal_perturbation,
    fullgrad,
    grad_cam,
    grad_cam_plus_plus,
    gradient_shap,
    guided_backprop,
    guided_grad_cam,
    guided_ig,
    hires_cam,
    hsic,
    input_x_gradient,
    integrated_gradients,
    kernel_shap,
    layer_cam,
    lime,
    lrp,
    meaningful_perturbation,
    occlusion,
    prediction_difference,
    representation_erasure,
    rise,
    saliency,
    score_cam,
    shapley_sampling,
    smoothgrad,
    sobol,
    streak,
    transformer_lrp,
    transformer_relevance,
    xgrad_cam,
    xrai,
)


# Any: each method has a class of parameters of its own.
def index_by_name(methods: Iterable[Method[Any]]) -> Mapping[str, Method[Any]]:
    """The methods by name, in the order given. Raises ValueError when two have the same name."""
    index: dict[str, Method[Any]] = {}
    for method in methods:
        if method.name in index:
            raise ValueError(f"two methods are named {method.name!r}")
        index[method.name] = method
    return MappingProxyType(index)


METHODS = index_by_name(
    [
        saliency.METHOD,
        input_x_gradient.METHOD,
        integrated_gradients.METHOD,
        smoothgrad.METHOD,
        gradient_shap.METHOD,
        blur_ig.METHOD,
        guided_ig.METHOD,
        xrai.METHOD,
        fullgrad.METHOD,
        cam.METHOD,
        grad_cam.METHOD,
        grad_cam_plus_plus.METHOD,
        xgrad_cam.METHOD,
        hires_cam.METHOD,
        layer_cam.METHOD,
        eigen_cam.METHOD,
        score_cam.METHOD,
        ablation_cam.METHOD,
        guided_grad_cam.METHOD,
        contrastive_grad_cam.METHOD,
        deconvnet.METHOD,
        guided_backprop.METHOD,
        lrp.METHOD,
        deep_taylor.METHOD,
        deeplift.METHOD,
        deep_shap.METHOD,
        excitation_backprop.METHOD,
        contrastive_excitation_backprop.METHOD,
        contextual_decomposition.METHOD,
        attention_rollout.METHOD,
        transformer_relevance.METHOD,
        transformer_lrp.METHOD,
        occlusion.METHOD,
        rise.METHOD,
        prediction_difference.METHOD,
        representation_erasure.METHOD,
        sobol.METHOD,
        hsic.METHOD,
        lime.METHOD,
        kernel_shap.METHOD,
        shapley_sampling.METHOD,
        anchors.METHOD,
        streak.METHOD,
        meaningful_perturbation.METHOD,
        extremal_perturbation.METHOD,
        counterfactual.METHOD,
        counterfactual_region.METHOD,
        cem.METHOD,
    ]
)
