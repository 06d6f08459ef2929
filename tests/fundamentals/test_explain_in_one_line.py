"""How to explain any classifier from Python: `workers.explain`, one line, no server."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import workers
from jobs.errors import InvalidRequest, NotExplainable


class BrightSquares(nn.Module):
    """Class 0 counts what is bright on the left half of the image, class 1 on the right half."""

    def __init__(self) -> None:
        super().__init__()
        see = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(see.weight)
        self.features = nn.Sequential(see, nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        left, right = self.features(images).chunk(2, dim=3)
        return torch.stack([left.mean((1, 2, 3)), right.mean((1, 2, 3))], dim=1)


def an_image_with_a_bright_square_at(column: int) -> Tensor:
    image = torch.zeros(1, 1, 16, 16)
    image[:, :, 4:8, column : column + 4] = 1
    return image


def test_one_line_says_which_pixels_speak_for_a_class() -> None:
    module, image = BrightSquares().eval(), an_image_with_a_bright_square_at(2)

    relevance = workers.explain(module, image, 0, method="integrated-gradients")

    assert relevance.shape == (1, 16, 16)
    assert torch.equal(relevance[0] > 0, image[0, 0] > 0)


def test_without_a_target_the_predicted_class_is_explained() -> None:
    module = BrightSquares().eval()
    images = torch.cat([an_image_with_a_bright_square_at(2), an_image_with_a_bright_square_at(10)])

    relevance = workers.explain(module, images, method="occlusion", window=4)

    assert relevance[0].argmax() % 16 < 8 <= relevance[1].argmax() % 16


def test_methods_have_parameters_and_cams_a_layer() -> None:
    module, image = BrightSquares().eval(), an_image_with_a_bright_square_at(2)

    found = workers.explain(module, image, 0, method="grad-cam", layer="features", relu=False)
    by_default = workers.explain(module, image, 0, relu=False)

    assert torch.equal(found, by_default)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    module, image = BrightSquares().eval(), an_image_with_a_bright_square_at(2)

    with pytest.raises(InvalidRequest) as caught:
        workers.explain(module, image, 0, method="occlusion", window=0, colour="red")

    assert {problem.field for problem in caught.value.problems} == {"window", "colour"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"method": "magic"}, "method"),
        ({"targets": 2}, "targets"),
        ({"targets": [0, 1]}, "targets"),
        ({"inputs": torch.rand(16, 16)}, "inputs"),
    ],
)
def test_a_wrong_question_names_its_field(
    wrong: dict[str, Any],  # Any: arguments of several types
    field: str,
) -> None:
    question = {"inputs": an_image_with_a_bright_square_at(2), "targets": 0, **wrong}

    with pytest.raises(InvalidRequest) as caught:
        workers.explain(BrightSquares().eval(), **question)

    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_module_that_still_trains_is_refused_not_switched() -> None:
    module = BrightSquares()

    with pytest.raises(NotExplainable, match="eval"):
        workers.explain(module, an_image_with_a_bright_square_at(2), 0)

    assert module.training


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, workers; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_package_stays_callable_however_often_it_is_asked() -> None:
    assert workers.explain is workers.explain
    assert callable(workers.explain)
    misspelt = "explian"
    with pytest.raises(AttributeError, match=misspelt):
        _ = getattr(workers, misspelt)
