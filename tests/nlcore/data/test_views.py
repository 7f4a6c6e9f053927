"""Normalising images: the formula, in the layout they come in, and nothing of what is handed in is written to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlcore.data.views import Normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_values_are_those_of_the_formula_and_the_images_stay(layout: torch.memory_format, dtype: torch.dtype) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 4))
    images = torch.from_numpy(pixels).to(dtype).contiguous(memory_format=layout)
    normalised = Normalise(MEAN, STD, torch.device("cpu"))(images)
    mean, std = (np.array(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    np.testing.assert_allclose(normalised.numpy(), (pixels / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    assert normalised.dtype == torch.float32
    assert normalised.is_contiguous(memory_format=layout)
    np.testing.assert_array_equal(images.numpy(), pixels)


def test_images_within_0_and_1_are_normalised_alike() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 3, 6, 4), np.uint8))
    normalise = Normalise(MEAN, STD, torch.device("cpu"))
    torch.testing.assert_close(normalise.unit(images / 255), normalise(images), rtol=1e-5, atol=1e-5)
