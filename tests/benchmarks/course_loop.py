"""
The alternative called *course loop*: training as a course's notebook writes it.

PIL crop and flip of one image after the other, a DataLoader without workers, float32 in NCHW, and the loss read from
the device in each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from nlcore.contracts import Labels


def make_transform(mean: Sequence[float], std: Sequence[float]) -> Callable[[Image.Image], Tensor]:
    """Return what is done to each PIL image of CIFAR-10 when it is loaded for training."""
    transform: Callable[[Image.Image], Tensor] = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    return transform


class NoisyCifar(Dataset[tuple[Tensor, int]]):
    """Images, uint8 (N, 32, 32, 3), with their given labels."""

    def __init__(self, images: NDArray[np.uint8], labels: Labels, transform: Callable[[Image.Image], Tensor]) -> None:
        self.images = images
        self.labels = labels
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def make_loader(dataset: Dataset[tuple[Tensor, int]], batch_size: int) -> DataLoader[tuple[Tensor, int]]:
    """Return the batches of an epoch, the last partial one included."""
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)


def make_network(network: nn.Module, device: torch.device) -> nn.Module:
    """Return the network where it is trained."""
    return network.to(device)


def make_optimizer(network: nn.Module) -> torch.optim.Optimizer:
    """Return nlcore's default optimiser."""
    return torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


def train_epoch(
    network: nn.Module,
    loader: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> tuple[float, float]:
    """Train on all batches once; return mean loss and accuracy."""
    network.train()
    running_loss, correct, total = 0.0, 0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        outputs = network(images)
        loss = F.cross_entropy(outputs, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        running_loss += loss.item() * labels.size(0)
        correct += (outputs.argmax(1) == labels).sum().item()
        total += labels.size(0)
    return running_loss / total, correct / total
