"""Trained models: what a run saved predicts what the run measured."""

from __future__ import annotations

import json
import shutil
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import squares
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_digits

import nlcore
from nlcore.runs.model import TrainedModel

SETTINGS: dict[str, Any] = {
    "dataset": "digits",
    "architecture.width": 4,
    "epochs": 2,
    "batch_size": 64,
    "lr": 0.05,
    "noise.rate": 0.2,
    "device": "cpu",
    "precision": "fp32",
    "threads": "1",
    "quiet": True,
}

RUNS: dict[str, dict[str, Any]] = {
    "standard": {},
    "ema": {"ema": 0.95},
    "co_teaching": {"strategy": "co_teaching"},
    "loss with a memory, held-out data": {"loss": "elr", "validation": 0.1, "epochs": 1},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, nlcore.Result]:
    """Return a finished run of each sort."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: nlcore.run(runs_dir=folder, **{**SETTINGS, **more}) for name, more in RUNS.items()}


@pytest.fixture
def model(runs: dict[str, nlcore.Result]) -> TrainedModel:
    """Return the model of the plain run."""
    return nlcore.load(runs["standard"].run_dir)


def the_test_images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the test images and labels: of each digit every fifth, in scikit-learn's order."""
    bundle = load_digits()
    chosen = np.concatenate([np.flatnonzero(bundle.target == digit)[4::5] for digit in range(10)])
    return np.rint(bundle.images[chosen] / 16 * 255).astype(np.uint8)[..., None], bundle.target[chosen]


# --------------------------------------------------------------------------------------------------------- prediction


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_loaded_model_is_as_accurate_as_its_run(name: str, runs: dict[str, nlcore.Result]) -> None:
    images, labels = the_test_images()
    predicted = nlcore.load(runs[name].run_dir).predict(images)
    assert np.mean(predicted.argmax(1) == labels) == pytest.approx(runs[name].test_accuracy["last"], abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_loaded_model_predicts_as_its_weights_do(name: str, runs: dict[str, nlcore.Result]) -> None:
    """The first network's weights in a network of one's own, with images normalised by their definition."""
    images, _ = the_test_images()
    bundle = load_digits()
    tests = np.concatenate([np.flatnonzero(bundle.target == digit)[4::5] for digit in range(10)])
    pixels = np.rint(np.delete(bundle.images, tests, axis=0) / 16 * 255).astype(np.uint8) / 255
    weights = load_file(runs[name].run_dir / "weights.safetensors")
    network = nlcore.create("architecture", "resnet18", width=4).build(10, (1, 8, 8))
    mine = {key.partition(".")[2]: value for key, value in weights.items() if key.startswith("network1.")}
    network.load_state_dict(mine)
    normalised = torch.from_numpy((images / 255 - pixels.mean()) / pixels.std()).float().permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = network.eval()(normalised).softmax(1).numpy()
    np.testing.assert_allclose(nlcore.load(runs[name].run_dir).predict(images), expected, atol=1e-4)
    assert len(set(expected.argmax(1))) > 1


@pytest.mark.slow
def test_averaged_weights_are_not_the_last_ones(runs: dict[str, nlcore.Result]) -> None:
    one, other = (nlcore.load(runs[name].run_dir).networks["network1"] for name in ("standard", "ema"))
    assert not torch.equal(one.state_dict()["head.weight"], other.state_dict()["head.weight"])


def test_predictions_are_probabilities(model: TrainedModel) -> None:
    images, _ = the_test_images()
    predicted = model.predict(images)
    assert predicted.shape == (355, 10)
    assert predicted.dtype == np.float32
    assert predicted.min() >= 0
    np.testing.assert_allclose(predicted.sum(1), 1, atol=1e-6)


def test_a_model_says_what_it_was_trained_on(model: TrainedModel) -> None:
    assert model.classes == tuple("0123456789")
    assert model.image_shape == (1, 8, 8)
    assert list(model.networks) == ["network1"]
    assert not model.networks["network1"].training


def test_both_networks_are_loaded(runs: dict[str, nlcore.Result]) -> None:
    networks = nlcore.load(runs["co_teaching"].run_dir).networks
    assert list(networks) == ["network1", "network2"]
    one, other = (network.state_dict()["head.weight"] for network in networks.values())
    assert not torch.equal(one, other)


def test_predictions_do_not_depend_on_what_is_looked_at_together(model: TrainedModel) -> None:
    images, _ = the_test_images()
    np.testing.assert_allclose(model.predict(images[:20]), model.predict(images[:20], batch_size=3), atol=1e-5)


def test_predictions_do_not_depend_on_how_the_images_lie_in_memory(model: TrainedModel) -> None:
    images = the_test_images()[0][:20]
    mirrored = images[:, :, ::-1]
    np.testing.assert_array_equal(model.predict(mirrored), model.predict(mirrored.copy()))
    frozen = images.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(model.predict(frozen), model.predict(images))


def test_a_model_can_be_called_and_says_in_a_line_what_it_is(model: TrainedModel) -> None:
    images = the_test_images()[0][:5]
    np.testing.assert_array_equal(model(images), model.predict(images))
    assert repr(model) == "TrainedModel(8×8×1 images -> 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)"


def test_a_model_is_loaded_by_the_name_that_the_table_shows(runs: dict[str, nlcore.Result]) -> None:
    run_dir = runs["standard"].run_dir
    images = the_test_images()[0][:5]
    by_name = nlcore.load(run_dir.name[-8:], runs_dir=run_dir.parent)
    np.testing.assert_array_equal(by_name(images), nlcore.load(run_dir)(images))


def test_images_of_another_size_are_predicted_too(model: TrainedModel) -> None:
    assert model.predict(np.zeros((2, 12, 9, 1), np.uint8)).shape == (2, 10)


def test_no_images_no_predictions(model: TrainedModel) -> None:
    assert model.predict(np.empty((0, 8, 8, 1), np.uint8)).shape == (0, 10)
    assert list(model.predict_files([])) == []


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros((2, 1, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 1), np.float32),
        np.zeros((2, 8, 8, 1), np.int64),
    ],
    ids=lambda images: f"{images.dtype}-{images.shape}",
)
def test_images_of_another_type_or_shape_are_refused(images: NDArray[Any], model: TrainedModel) -> None:
    with pytest.raises(nlcore.UserError, match=r"must be uint8 \(N, H, W, 1\)") as caught:
        model.predict(images)
    assert f"{images.dtype} {images.shape}" in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- files


def probabilities(model: TrainedModel, paths: list[Path]) -> NDArray[np.float32]:
    """Return the predictions for these files, which are in their order."""
    predicted = list(model.predict_files(paths))
    assert [path for path, _ in predicted] == paths
    return np.stack([row for _, row in predicted])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_files_are_predicted_as_their_pixels(mode: str, model: TrainedModel, tmp_path: Path) -> None:
    images = the_test_images()[0][:3]
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, images, strict=True):
        picture = Image.fromarray(image[..., 0])
        if mode == "P":  # a palette of greys, the other way round
            picture = Image.fromarray(255 - image[..., 0], mode="P")
            picture.putpalette([level for grey in range(255, -1, -1) for level in (grey, grey, grey)])
        (picture if mode == "P" else picture.convert(mode)).save(path)
    with Image.open(paths[0]) as saved:
        assert saved.mode == mode
    np.testing.assert_allclose(probabilities(model, paths), model.predict(images), atol=1e-6)


def test_files_of_another_size_are_resized(model: TrainedModel, tmp_path: Path) -> None:
    Image.new("L", (33, 20), 128).save(tmp_path / "large.png")
    Image.new("RGB", (3, 5), (128, 128, 128)).save(tmp_path / "small.jpg")
    expected = model.predict(np.full((2, 8, 8, 1), 128, np.uint8))
    np.testing.assert_allclose(
        probabilities(model, [tmp_path / "large.png", tmp_path / "small.jpg"]), expected, atol=1e-6
    )


def test_paths_may_be_text(model: TrainedModel, tmp_path: Path) -> None:
    Image.new("L", (8, 8), 128).save(tmp_path / "one.png")
    ((path, found),) = model.predict_files([str(tmp_path / "one.png")])
    assert path == tmp_path / "one.png"
    np.testing.assert_allclose(found[None], model.predict(np.full((1, 8, 8, 1), 128, np.uint8)), atol=1e-6)
    with pytest.raises(nlcore.UserError, match="takes several paths"):
        next(model.predict_files(str(path)))


def test_files_that_are_no_images_are_named_and_left_out(model: TrainedModel, tmp_path: Path) -> None:
    good, text, missing, torn = (tmp_path / name for name in ("good.png", "text.png", "missing.png", "torn.png"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(good)
    text.write_text("no image")
    torn.write_bytes(good.read_bytes()[:-1000])
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(deep)
    why: dict[Path, str] = {}
    predicted = model.predict_files([good, text, missing, torn, deep, tmp_path, good], why.__setitem__)
    assert [path for path, _ in predicted] == [good, good]
    assert list(why) == [text, missing, torn, deep, tmp_path]
    assert "more than 8 bits" in why[deep]
    with pytest.raises(nlcore.UserError, match=r"text\.png cannot be read as an image"):
        list(model.predict_files([good, text]))


def test_of_files_that_are_read_nothing_is_warned(
    model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """Pillow warns of large ones, without a name."""
    warnings.simplefilter("always")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name in ("one.png", "two.png"):
        Image.new("L", (36, 36)).save(tmp_path / name)
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    assert [path for path, _ in model.predict_files(paths)] == paths
    assert model.read(paths[0]).shape == (8, 8, 1)
    assert not recwarn.list


def test_files_are_read_as_results_are_asked_for(model: TrainedModel, tmp_path: Path) -> None:
    """A few batches ahead of what is asked for, and never all."""
    Image.new("L", (8, 8)).save(tmp_path / "0.png")
    paths = [tmp_path / "0.png"] * 200
    asked = []

    def one_by_one() -> Iterator[Path]:
        for path in paths:
            asked.append(path)
            yield path

    results = model.predict_files(one_by_one(), batch_size=3)
    assert asked == []
    assert next(results)[0] == paths[0]
    assert 3 <= len(asked) <= 2 * 3 + 2 * 16
    assert [path for path, _ in results] == paths[1:]
    assert asked == paths


def test_files_are_no_longer_read_when_nobody_asks(model: TrainedModel, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "0.png")
    before = threading.active_count()
    results = model.predict_files([tmp_path / "0.png"] * 200, batch_size=3)
    next(results)
    assert threading.active_count() > before
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


# ------------------------------------------------------------------------------------------------ what cannot be loaded


def test_no_run_is_no_model(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(nlcore.UserError, match="is no run"):
            nlcore.load(path)


@pytest.mark.parametrize("status", ["running", "interrupted", "diverged", "failed"])
def test_a_run_without_weights_is_no_model(status: str, runs: dict[str, nlcore.Result], tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(runs["standard"].run_dir, tmp_path / "copy"))
    (run_dir / "weights.safetensors").unlink()
    content = json.loads((run_dir / "summary.json").read_text())
    (run_dir / "summary.json").write_text(json.dumps({**content, "status": status}))
    with pytest.raises(nlcore.UserError, match=rf"no trained weights \(status: {status}\)"):
        nlcore.load(run_dir)


def test_two_files_are_a_model(runs: dict[str, nlcore.Result], tmp_path: Path) -> None:
    """No labels, no data, nothing that training read: the folder, or either file, is enough."""
    whole = nlcore.load(runs["standard"].run_dir)
    for name in ("weights.safetensors", "model.json"):
        shutil.copy(runs["standard"].run_dir / name, tmp_path / name)
    images, _ = squares(8)
    images = np.repeat(images, whole.image_shape[0], axis=3)
    for place in (tmp_path, tmp_path / "weights.safetensors", tmp_path / "model.json"):
        assert np.array_equal(nlcore.load(place).predict(images), whole.predict(images))


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_file_that_is_missing_is_named(name: str, runs: dict[str, nlcore.Result], tmp_path: Path) -> None:
    for file in {"weights.safetensors", "model.json"} - {name}:
        shutil.copy(runs["standard"].run_dir / file, tmp_path / file)
    with pytest.raises(nlcore.UserError, match=f"holds no trained model: {name} is missing"):
        nlcore.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', "\x00"])
def test_a_model_file_that_is_none_is_refused(content: str, runs: dict[str, nlcore.Result], tmp_path: Path) -> None:
    shutil.copy(runs["standard"].run_dir / "weights.safetensors", tmp_path)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(nlcore.UserError, match=r"model\.json"):
        nlcore.load(tmp_path)


def test_a_model_of_a_component_that_is_not_there(runs: dict[str, nlcore.Result], tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(runs["standard"].run_dir, tmp_path / "copy"))
    file = run_dir / "model.json"
    file.write_text(file.read_text().replace('"resnet18"', '"resnet19"'))
    with pytest.raises(nlcore.UserError, match="no architecture 'resnet19'"):
        nlcore.load(run_dir)


def test_a_device_that_is_not_there(runs: dict[str, nlcore.Result]) -> None:
    with pytest.raises(nlcore.UserError, match="cuda:99"):
        nlcore.load(runs["standard"].run_dir, device="cuda:99")
