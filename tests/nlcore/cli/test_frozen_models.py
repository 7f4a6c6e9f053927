"""``nl evaluate`` and ``nl export`` on models whose body was frozen: the published network with a head of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file

import nlcore

CLASSES = ("dark", "light", "red")


@pytest.fixture
def own(tmp_path: Path) -> tuple[str, ...]:
    """Make photos of three classes and weights of ResNet-18 as torchvision saves them; return the words for both."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 130, (32, 32, 3)) + (0, 120, 60)[label]
            pixels[..., 1:] //= 1 + (label == 2)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photos" / name / f"{number}.png")
    torch.manual_seed(0)
    torch.save(torchvision.models.get_model("resnet18", weights=None).state_dict(), "resnet18.pth")
    network = ("--architecture", "torchvision", "--architecture.model", "resnet18")
    data = ("--dataset", "image_folder", "--dataset.folder", "photos", "--dataset.size", "32")
    short = ("--epochs", "3", "--optimizer", "adamw", "--lr", "0.01", "--batch-size", "16", "--name", "mine")
    return *data, *network, "--architecture.pretrained", "resnet18.pth", "--precision", "fp32", "--threads", "1", *short


@pytest.mark.slow
@pytest.mark.parametrize("freeze", ["all", "2"])
def test_they_know_no_difference(nl: Any, own: tuple[str, ...], freeze: str) -> None:
    """What torchvision's network, the head put in by hand, says of the photos, is what the exported file says."""
    run = nl("run", *own, "--freeze", freeze, "--quiet")
    assert run.code == 0, run.err
    result = nlcore.Result.read(Path("runs/mine"))
    found = nl("evaluate", "mine", "--json").json
    assert (found["accuracy"], found["count"]) == (result.test_accuracy["last"], 12)

    export = nl("export", "mine", "--to", "torch_export", "-o", "mine.pt2", "--json")
    assert export.code == 0, export.err
    assert export.json["largest_difference"] <= 1e-4
    images = np.stack([np.asarray(Image.open(path)) for path in sorted(Path("photos").rglob("*.png"))])
    given = torch.from_numpy(images)
    exported = torch.export.load("mine.pt2").module()(given)
    said = nlcore.load(Path("runs/mine")).predict(images)
    torch.testing.assert_close(exported, torch.from_numpy(said), rtol=0, atol=1e-4)
    if freeze != "all":
        return
    tensors = load_file("runs/mine/weights.safetensors")
    network = torchvision.models.get_model("resnet18", weights=None)
    network.load_state_dict(torch.load("resnet18.pth"))
    network.fc = torch.nn.Linear(512, 3)
    head = {key: value for key, value in tensors.items() if tuple(value.shape) in ((3, 512), (3,))}
    assert len(head) == 2
    network.fc.load_state_dict({key.rpartition(".")[2]: value for key, value in head.items()})
    about = torchvision.models.get_model_weights("resnet18").DEFAULT.transforms()
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (about.mean, about.std))
    with torch.no_grad():
        expected = network.eval()((given.permute(0, 3, 1, 2) / 255 - mean) / std).softmax(1)
    assert expected.argmax(1).unique().numel() > 1
    torch.testing.assert_close(exported, expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_what_the_given_weights_lack_decides(nl: Any) -> None:
    """A body may be frozen that comes from weights, whatever its first layer is for, and no other one."""
    common = ("run", "--dataset", "digits", "--epochs", "1", "--threads", "1", "--quiet")
    network = ("--architecture", "torchvision", "--architecture.model", "resnet18")
    small = (*common, *network, "--architecture.small_images", "true")
    assert nl(*small, "--name", "base").code == 0
    probe = ("--init", "runs/base", "--freeze", "all")
    found = nl(*small, *probe, "--name", "probe")
    assert found.code == 0, found.err
    other = nl(*common, *network, *probe, "--name", "large")
    assert other.code == 2
    assert "are not in the weights that it starts from, and would stay as drawn" in other.err
    unlike = nl(*common, "--architecture.width", "4", *probe, "--name", "unlike")
    assert unlike.code == 2
