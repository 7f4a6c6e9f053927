"""
The operations of AutoAugment, RandAugment and TrivialAugment on batches, each image with a magnitude of its own.

Names and magnitudes mean what they mean there (Cubuk et al. 2019, arXiv:1805.09501, table 6): slopes for shears, pixels
for translations, degrees for rotations, factor − 1 for brightness, color, contrast and sharpness, bits for posterize,
the threshold as a share of 255 for solarize. identity, autocontrast, equalize and invert pass their magnitude over.

Images are uint8 (B, C, H, W), C 1 or 3; what comes from outside an image is 0; the nearest pixel is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nlcore_builtins.augmentations import geometry, tables

GEOMETRIC: dict[str, geometry.MatrixOf] = {
    "shear_x": geometry.shear_x_matrix,
    "shear_y": geometry.shear_y_matrix,
    "translate_x": geometry.translate_x_matrix,
    "translate_y": geometry.translate_y_matrix,
    "rotate": geometry.rotate_matrix,
}

POINTWISE: dict[str, tables.TablesOf] = {
    "brightness": tables.brightness_table,
    "contrast": tables.contrast_table,
    "posterize": tables.posterize_table,
    "solarize": tables.solarize_table,
    "autocontrast": tables.autocontrast_table,
    "equalize": tables.equalize_table,
    "invert": tables.invert_table,
}


def color(images: Tensor, magnitude: Tensor) -> Tensor:
    """Return images (1 + m) x − m grey(x) uint8, m (B,) on the CPU; grey images as they are."""
    if images.shape[1] == 1:
        return images
    own, other = tables.spread(1 + magnitude, images, 4), tables.spread(-magnitude, images, 4)
    return (images * own + tables.grey(images) * other).clamp_(0, 255).to(torch.uint8)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """
    Return images (1 + m) x − m smooth(x) uint8, m (B,) on the CPU; pixels at the border as they are.

    smooth weighs a pixel with 5/13 and its eight neighbours with 1/13 each.
    """
    height, width = images.shape[-2:]
    if height <= 2 or width <= 2:
        return images
    changed = images.float()
    rows = changed[..., :-2, :] + changed[..., 1:-1, :] + changed[..., 2:, :]
    inner = changed[..., 1:-1, 1:-1]
    # Sums of whole numbers are exact, and thirteenths never lie half-way: every device rounds alike.
    smooth = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner) / 13).round_()
    inner += (smooth - inner) * tables.spread(-magnitude, images, 4)
    return changed.clamp_(0, 255).to(torch.uint8)


OTHERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"color": color, "sharpness": sharpness}


def apply_each(images: Tensor, names: Sequence[str], operation: Tensor, magnitude: Tensor) -> Tensor:
    """
    Return the images, each changed by its own operation.

    Args:
        images: uint8 (B, C, H, W); not changed.
        names: the operations that `operation` counts: "identity" and keys of GEOMETRIC, POINTWISE and OTHERS.
        operation: int64 (B,) on the CPU, positions in `names`.
        magnitude: (B,) on the CPU.
    """
    magnitude = magnitude.double()
    rows = {name: (operation == number).nonzero()[:, 0] for number, name in enumerate(names)}
    rows = {name: chosen for name, chosen in rows.items() if len(chosen)}
    changed = images.clone()

    # One warp and one look-up for all operations of their kind: on a GPU, launches cost more than work.
    warped = [name for name in rows if name in GEOMETRIC]
    if warped:
        height, width = images.shape[-2:]
        matrices = [GEOMETRIC[name](magnitude[rows[name]], height, width) for name in warped]
        where = torch.cat([rows[name] for name in warped]).to(images.device, non_blocking=True)
        changed[where] = geometry.warp(images[where], torch.cat(matrices))

    parts: list[tuple[Tensor, Tensor]] = []
    for name, chosen in rows.items():
        where = chosen.to(images.device, non_blocking=True)
        if name in POINTWISE:
            table = POINTWISE[name](images[where], magnitude[chosen])
            parts.append((where, table.expand(-1, images.shape[1], -1)))
        elif name in OTHERS:
            changed[where] = OTHERS[name](images[where], magnitude[chosen])
    if parts:
        where, table = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        changed[where] = tables.look_up(images[where], table)
    return changed
