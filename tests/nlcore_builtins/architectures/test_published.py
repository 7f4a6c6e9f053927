"""Published weights: found, downloaded from a server on this machine, checked, or asked for in a sentence."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from nlcore_builtins.architectures import published
from PIL import Image
from safetensors.torch import load_file, save_file

import nlcore
from nlcore.contracts import DatasetContext

MODEL = "shufflenet_v2_x0_5"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says a file's SHA-256 as the hub does."""

    def end_headers(self) -> None:
        """Add what the hub adds."""
        file = Path(self.translate_path(self.path))
        if file.is_file():
            self.send_header("ETag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Be quiet."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a server and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


def weights(folder: Path) -> Path:
    """Write random tensors of torchvision's model as it publishes them, the digits of their SHA-256 in the name."""
    torch.manual_seed(7)
    file = folder / "weights.pth"
    torch.save(torchvision.models.get_model(MODEL, weights=None).state_dict(), file)
    return file.rename(folder / f"{MODEL}-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}.pth")


def about(url: str, **changes: Any) -> published.Published:
    return published.Published("net", url, url.rpartition("/")[2], *IMAGENET, 224, **changes)


def test_a_download_lies_in_the_folder_of_the_data_and_is_used_again(served: Any, tmp_path: Path) -> None:
    url, folder = served
    file = weights(folder)
    said: list[str] = []
    source = DatasetContext(tmp_path / "data", report=said.append)
    meant = about(f"{url}/{file.name}")
    found = published.weights_file("true", meant, source)
    assert found == tmp_path / "data" / "weights" / file.name
    assert found.read_bytes() == file.read_bytes()
    assert said == [f"The weights of net are not there: downloading them from {url}/{file.name}"]
    file.unlink()
    assert published.weights_file("true", meant, source) == found
    assert len(said) == 1


def test_the_bar_is_drawn_on_a_terminal_alone(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = served
    meant = about(f"{url}/{weights(folder).name}")
    published.weights_file("true", meant, DatasetContext(tmp_path / "one"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    published.weights_file("true", meant, DatasetContext(tmp_path / "two"))
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize("hub", [False, True])
def test_another_file_than_the_published_one_is_not_kept(served: Any, tmp_path: Path, hub: bool) -> None:
    """Its SHA-256 is in its name, or the hub says it."""
    if hub:
        pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")
    url, folder = served
    file = weights(folder)
    if hub:
        (folder / file.name).rename(folder / "model.safetensors")
        Server.end_headers, before = _lying, Server.end_headers  # type: ignore[method-assign]
        try:
            with pytest.raises(nlcore.UserError, match=r"net could not be downloaded: invalid hash value"):
                published.weights_file("true", about(f"{url}/model.safetensors", hub=True), DatasetContext(tmp_path))
        finally:
            Server.end_headers = before  # type: ignore[method-assign]
    else:
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(nlcore.UserError, match=r"net could not be downloaded: invalid hash value.*put it there as"):
            published.weights_file("true", about(f"{url}/{file.name}"), DatasetContext(tmp_path))
    assert list((tmp_path / "weights").iterdir()) == []


def _lying(self: Any) -> None:
    self.send_header("ETag", f'"{"ab" * 32}"')
    self.send_header("X-Repo-Commit", "0" * 40)
    http.server.SimpleHTTPRequestHandler.end_headers(self)


def test_the_hub_says_what_a_file_must_be(served: Any, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")
    url, folder = served
    save_file({"a": torch.ones(3)}, folder / "model.safetensors")
    found = published.weights_file(
        "true", about(f"{url}/model.safetensors", hub=True), DatasetContext(tmp_path / "data")
    )
    assert found is not None
    assert torch.equal(load_file(found)["a"], torch.ones(3))


def test_a_file_put_there_by_hand_must_be_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    file = weights(tmp_path / "weights")
    meant = about(f"https://nowhere.invalid/{file.name}")
    assert published.weights_file("true", meant, DatasetContext(tmp_path, download=False)) == file
    file.write_bytes(b"cut off")
    with pytest.raises(
        nlcore.UserError, match=rf"{file.name} is not the published file of net: .* \(7 bytes\)\. Remove"
    ):
        published.weights_file("true", meant, DatasetContext(tmp_path, download=False))


@pytest.mark.parametrize(
    ("given", "download", "said"),
    [
        (
            "true",
            False,
            r"no .*data/weights/net-12345678\.pth\. Fetch http://127\.0\.0\.1:9/net.* put it there as .*net-1",
        ),
        ("true", True, r"could not be downloaded: .*refused.* put it there as .*data/weights/net-12345678\.pth\."),
        (
            "nothing.pth",
            True,
            r"architecture\.pretrained = nothing\.pth: there is no such file.*or true for the published",
        ),
    ],
)
def test_what_is_not_there_is_said(given: str, download: bool, said: str, tmp_path: Path) -> None:
    source = DatasetContext(tmp_path / "data", download=download)
    with pytest.raises(nlcore.UserError, match=said):
        published.weights_file(given, about("http://127.0.0.1:9/net-12345678.pth"), source)


def test_no_weights_are_published(tmp_path: Path) -> None:
    with pytest.raises(nlcore.UserError, match=r"pretrained = true: no weights are published for net\."):
        published.weights_file("true", about(""), DatasetContext(tmp_path))


@pytest.mark.parametrize("model", ["resnet18", "vit_b_16", "inception_v3", "efficientnet_v2_s"])
def test_each_model_of_torchvision_says_what_its_weights_want(model: str) -> None:
    """The preprocessing that torchvision publishes beside them; the first step of Inception is another scaling."""
    architecture: Any = nlcore.create("architecture", "torchvision", model=model, pretrained="true")
    wants = torchvision.models.get_model_weights(model).DEFAULT.transforms()
    x = torch.rand(3, 4, 4)
    mean, std = (torch.tensor(values)[:, None, None] for values in architecture.normalisation)
    theirs = torchvision.transforms.functional.normalize(x, wants.mean, wants.std)
    if model == "inception_v3":
        network = torchvision.models.Inception3(transform_input=True, init_weights=False, num_classes=2)
        theirs = network._transform_input(theirs[None])[0]
    assert torch.allclose((x - mean) / std, theirs, atol=1e-6)
    assert [architecture.trained_size] == wants.crop_size
    plain: Any = nlcore.create("architecture", "torchvision", model=model)
    assert plain.normalisation is plain.trained_size is plain.weights_file(DatasetContext(Path())) is None


@pytest.mark.parametrize("model", ["tf_efficientnet_lite0", "resnet18.a1_in1k", "vit_tiny_patch16_224"])
def test_each_model_of_timm_says_what_its_weights_want(model: str) -> None:
    timm = pytest.importorskip("timm", reason="the package timm is not installed")
    architecture: Any = nlcore.create("architecture", "timm", model=model, pretrained="true")
    wants = timm.data.resolve_model_data_config(timm.create_model(model))
    assert architecture.normalisation == (wants["mean"], wants["std"])
    assert architecture.trained_size == wants["input_size"][1]
    with pytest.raises(nlcore.UserError, match=rf"Fetch https://huggingface\.co/timm/{model.partition('.')[0]}\."):
        architecture.weights_file(DatasetContext(Path("nowhere"), download=False))


# ---------------------------------------------------------------------------------------------------------- in a run


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, Any]:
    """Return what trains for an epoch on twelve made pictures."""
    for number in range(12):
        folder = tmp_path / "photos" / ("light" if number % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (200 if number % 2 else 40, 15 * number, 90)).save(folder / f"{number}.png")
    here = {"dataset": "image_folder", "dataset.folder": "photos", "dataset.size": 32, "dataset.test_fraction": 0.5}
    there = {"architecture": "torchvision", "architecture.model": MODEL, "batch_size": 4, "lr": 1e-9}
    return {**here, **there, "epochs": 1, "device": "cpu", "precision": "fp32", "threads": "1", "data_dir": "data"}


def run(photos: dict[str, Any], pretrained: object, **more: Any) -> nlcore.Result:
    """Run with these weights."""
    settings: dict[str, Any] = {**photos, "architecture.pretrained": pretrained, **more}
    return nlcore.run(**settings)


def pretends(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let torchvision publish a model's weights at another address."""
    real = torchvision.models.get_model_weights(MODEL).DEFAULT

    class Weights:
        DEFAULT = type("Best", (), {"url": url, "transforms": staticmethod(real.transforms)})

    monkeypatch.setattr("torchvision.models.get_model_weights", lambda model: Weights)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["true", "file"])
def test_a_run_starts_from_them_and_records_them(
    given: str, served: Any, photos: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = served
    file = weights(folder)
    pretends(monkeypatch, f"{url}/{file.name}")
    pretrained: object = True if given == "true" else file
    result = run(photos, pretrained)
    trained = load_file(result.run_dir / "weights.safetensors")
    for name, tensor in torch.load(file, weights_only=True).items():
        if name.startswith("fc.") or "running" in name or "num_batches" in name:
            continue
        assert torch.allclose(trained[f"network1.body.{name}"], tensor, atol=1e-3)
    stored = json.loads((result.run_dir / "environment.json").read_text())
    key = "architecture.weights" if given == "true" else "architecture.pretrained"
    assert stored["fingerprint"]["files_sha256"] == {key: hashlib.sha256(file.read_bytes()).hexdigest()}
    assert stored["pretrained"] == file.name
    assert any("drawn anew: head.weight, head.bias" in note for note in stored["notes"])
    model = json.loads((result.run_dir / "model.json").read_text())
    assert (model["mean"], model["std"]) == (list(IMAGENET[0]), list(IMAGENET[1]))
    monkeypatch.setattr(published, "weights_file", lambda *arguments: pytest.fail("a trained model needs no weights"))
    shares = nlcore.load(result.run_dir).predict(torch.zeros(1, 32, 32, 3, dtype=torch.uint8).numpy())
    assert shares.shape == (1, 2)


@pytest.mark.slow
def test_other_weights_are_another_run(photos: dict[str, Any], tmp_path: Path) -> None:
    one, copied = weights(tmp_path), tmp_path / "copied.pth"
    copied.write_bytes(one.read_bytes())
    found = [run(photos, file).run_dir for file in (one, copied)]
    assert found[0] == found[1]  # known by content
    assert nlcore.run(**photos).run_dir != found[0]
    tensors = torch.load(one, weights_only=True)
    torch.save({**tensors, "conv1.0.weight": tensors["conv1.0.weight"] + 1}, copied)
    assert run(photos, copied).run_dir != found[0]


def test_without_a_download_nothing_is_trained(photos: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(
        nlcore.UserError, match=r"there is no .*data/weights/shufflenetv2_x0\.5-f707e7126e\.pth\. Fetch"
    ):
        run(photos, True, no_download=True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_images_that_are_smaller_are_said(photos: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    run(photos, weights(tmp_path), quiet=False)
    assert "trained on images of 224×224 pixels, and these have 32×32" in capsys.readouterr().err


def test_weights_of_another_network_end_the_run_before_it_begins(photos: dict[str, Any], tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(nlcore.UserError, match=r"architecture\.pretrained = .*other\.pth: none of its 1 tensors"):
        run(photos, tmp_path / "other.pth")
    assert not (tmp_path / "runs").exists()
