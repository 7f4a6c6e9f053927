"""The programs of ``docs/models.md``: the exported file without nlcore, and as a service."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nlcore.cli.main import cli
from nlcore.data.fitting import FITS
from nlcore.data.image_files import read_image

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
ALONE, FITTED, SERVICE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CLASSES = ("day", "night")


def nl(*words: str) -> str:
    """Run a command and return what it prints."""
    result = CliRunner().invoke(cli, words, prog_name="nl", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def photos() -> Path:
    """Train on made-up photos of two classes, export the model as photos.onnx, and return the folder of photos."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="pip install 'nlcore[onnx]'")
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        folder = Path("images") / name
        folder.mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 130, (30, 40, 3)) + 120 * (1 - label)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    turned = Image.open("images/day/0.png").getexif()
    turned[0x0112] = 6  # to be turned by a quarter, as phones write it
    Image.open("images/day/1.png").save("images/day/turned.png", exif=turned)
    own = ("--dataset", "image_folder", "--dataset.folder", "images", "--dataset.size", "16", "--batch-size", "8")
    small = ("--architecture.width", "4", "--epochs", "2", "--threads", "1", "--precision", "fp32", "--lr", "0.02")
    nl("run", *own, *small, "--name", "photos", "--quiet")
    nl("export", "photos", "--to", "onnx", "-o", "photos.onnx")
    return Path("images")


def bare_environment(place: Path) -> Path:
    """Make an environment with onnxruntime, numpy and pillow alone, and return its Python."""
    venv.create(place, with_pip=True)
    python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "onnxruntime", "numpy", "pillow"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"onnxruntime cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.mark.parametrize("resize", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(37, 50), (31, 16)])
def test_six_lines_keep_proportions_as_models_were_trained(resize: str, shape: tuple[int, int]) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
    image.save("photo.png")
    here: dict[str, Any] = {"about": {"resize": resize, "background": "black"}, "size": (16, 16)}
    exec("from PIL import Image, ImageOps\n" + FITTED, here)
    ours = read_image(Path("photo.png"), (3, 16, 16), "black", FITS[resize])
    assert np.abs(np.asarray(here["fitted"](image)).astype(int) - ours).max() <= 1


@pytest.mark.slow
def test_ten_lines_predict_without_nlcore(photos: Path, tmp_path: Path) -> None:
    """They print what `nl predict` prints, for all photos."""
    assert len([line for line in ALONE.splitlines() if line.strip()]) == 10
    python = bare_environment(tmp_path / "bare")
    there = subprocess.run([str(python), "-c", "import nlcore"], capture_output=True, text=True, cwd=tmp_path)
    assert "No module named 'nlcore'" in there.stderr
    assert subprocess.run([str(python), "-c", "import torch"], capture_output=True).returncode
    Path("alone.py").write_text(ALONE)
    files = sorted(str(path) for path in photos.rglob("*.png"))
    done = subprocess.run([str(python), "alone.py", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours = [line.split("\t") for line in nl("predict", "photos", *files).splitlines()]
    theirs = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in theirs] == [row[:2] for row in ours]
    assert [float(row[2]) for row in theirs] == pytest.approx([float(row[2]) for row in ours], abs=2e-4)
    assert {row[1] for row in ours} == set(CLASSES)


@pytest.fixture
def address(photos: Path, tmp_path: Path) -> Iterator[str]:
    """Serve the page's service on the loopback interface and return its address."""
    for package in ("fastapi", "httpx", "onnxruntime", "uvicorn"):
        pytest.importorskip(package, reason=f"pip install {package}")
    import uvicorn

    Path("service.py").write_text(SERVICE)
    spec = importlib.util.spec_from_file_location("service_of_the_page", tmp_path / "service.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # FastAPI looks annotations up there
    spec.loader.exec_module(module)
    server = uvicorn.Server(uvicorn.Config(module.app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/predict"
    finally:
        server.should_exit = True
        thread.join(30)
        del sys.modules[spec.name]


@pytest.mark.slow
def test_fifteen_lines_serve_the_model(photos: Path, address: str) -> None:
    import httpx

    assert len([line for line in SERVICE.splitlines() if line.strip()]) == 15
    for path in (photos / "day" / "0.png", photos / "night" / "3.png", photos / "day" / "turned.png"):
        answer = httpx.post(address, content=path.read_bytes(), timeout=30)
        assert answer.status_code == 200
        shares = answer.json()
        row = nl("predict", "photos", str(path), "--top", "2").strip().split("\t")
        assert list(shares) == list(CLASSES)
        assert shares == pytest.approx({row[1]: float(row[2]), row[3]: float(row[4])}, abs=2e-4)
    refused = httpx.post(address, content=b"no image", timeout=30)
    assert (refused.status_code, refused.json()["detail"]) == (415, "no image that can be read")
