"""
Affine changes of uint8 images, each image with a matrix of its own.

    y(p) = x(A p + t)       p and A p + t in pixels from the image's centre; the nearest pixel is taken, 0 outside

The conventions are torchvision's: shears keep the upper left corner in its place, rotations the centre.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

MatrixOf = Callable[[Tensor, int, int], Tensor]
"""From magnitudes (B,), height and width to matrices [A | t] float64 (B, 2, 3)."""


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Return images uint8 (B, C, H, W), changed by the matrices [A | t] (B, 2, 3) that lead from target to source."""
    height, width = images.shape[-2:]
    half = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    theta = (matrices / half[:, None]).float().to(images.device, non_blocking=True)[:, None, None]
    y = torch.arange(height, dtype=torch.float32, device=images.device)[:, None, None] - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32, device=images.device)[:, None] - (width - 1) / 2
    # Not a matrix product: on a GPU that may be computed with ten bits, which are too few to point at a pixel.
    grid = theta[..., 0] * x + theta[..., 1] * y + theta[..., 2]
    return F.grid_sample(images.float(), grid, mode="nearest", align_corners=False).to(torch.uint8)


def shear_x_matrix(slope: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices of horizontal shears by `slope` pixels a row."""
    return _matrices(slope, a01=slope, t0=slope * height / 2)


def shear_y_matrix(slope: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices of vertical shears by `slope` pixels a column."""
    return _matrices(slope, a10=slope, t1=slope * width / 2)


def translate_x_matrix(pixels: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices of shifts to the right by whole pixels; what follows the point is cut off."""
    return _matrices(pixels, t0=-pixels.trunc())


def translate_y_matrix(pixels: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices of shifts downwards by whole pixels; what follows the point is cut off."""
    return _matrices(pixels, t1=-pixels.trunc())


def rotate_matrix(degrees: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices of counterclockwise rotations about the centre."""
    angle = torch.deg2rad(degrees.double())
    cos, sin = angle.cos(), angle.sin()
    return _matrices(angle, a00=cos, a01=-sin, a10=sin, a11=cos)


def _matrices(like: Tensor, **entries: Tensor) -> Tensor:
    """Return identities (B, 2, 3) in which the named entries are replaced: a00 a01 t0 / a10 a11 t1."""
    matrices = torch.eye(2, 3, dtype=torch.float64).repeat(len(like), 1, 1)
    for name, value in entries.items():
        row, column = (int(name[1]), 2) if name[0] == "t" else (int(name[1]), int(name[2]))
        matrices[:, row, column] = value.double()
    return matrices
