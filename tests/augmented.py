"""Images that augmentations are tested on, and torchvision's operations on one image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

HEIGHT, WIDTH = 32, 28


def images(count: int = 12, channels: int = 3) -> Tensor:
    """Return uint8 (count, channels, 32, 28): noise, dim noise, ramps, flat images, few values, in turn."""
    random = torch.Generator().manual_seed(5)
    noise = torch.randint(256, (count, channels, HEIGHT, WIDTH), generator=random)
    y, x = torch.arange(HEIGHT)[:, None] / (HEIGHT - 1), torch.arange(WIDTH)[None] / (WIDTH - 1)
    ramps = torch.stack([255 * y * (1 - 0.5 * x), 40 + 150 * x + 0 * y, 120 * (x * y) + 60])[:channels]
    kinds = [
        noise,
        60 + noise // 4,
        ramps.long().expand(count, -1, -1, -1),
        noise[:, :, :1, :1].expand_as(noise),
        170 * (noise > 200),
        (ramps + noise[:, :, :, :1] % 20).clamp(0, 255).long(),
    ]
    return torch.stack([kinds[number % len(kinds)][number] for number in range(count)]).to(torch.uint8)


def generator(seed: int = 1) -> torch.Generator:
    """Return a generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def one(image: Tensor, name: str, magnitude: float) -> Tensor:
    """Return one image (C, H, W) changed by torchvision's operation, called as its AutoAugment classes call it."""
    moves: dict[str, dict[str, Any]] = {
        "shear_x": {"shear": [math.degrees(math.atan(magnitude)), 0.0], "center": [0, 0]},
        "shear_y": {"shear": [0.0, math.degrees(math.atan(magnitude))], "center": [0, 0]},
        "translate_x": {"translate": [int(magnitude), 0]},
        "translate_y": {"translate": [0, int(magnitude)]},
    }
    if name in moves:
        still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
        moved: Tensor = F.affine(image, **(still | moves[name]))
        return moved
    changes: dict[str, Callable[[], Tensor]] = {
        "identity": lambda: image,
        "rotate": lambda: F.rotate(image, magnitude),
        "brightness": lambda: F.adjust_brightness(image, 1 + magnitude),
        "color": lambda: F.adjust_saturation(image, 1 + magnitude),
        "contrast": lambda: F.adjust_contrast(image, 1 + magnitude),
        "sharpness": lambda: F.adjust_sharpness(image, 1 + magnitude),
        "posterize": lambda: F.posterize(image, int(magnitude)),
        "solarize": lambda: F.solarize(image, 255 * magnitude),
        "autocontrast": lambda: F.autocontrast(image),
        "equalize": lambda: F.equalize(image),
        "invert": lambda: F.invert(image),
    }
    return changes[name]()
