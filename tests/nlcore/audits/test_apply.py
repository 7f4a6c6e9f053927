"""From decisions to a table of labels that training reads."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import nlcore
from nlcore.audits.apply import Audited, cleaned, write
from nlcore.audits.decisions import Decision
from nlcore.errors import UserError

DECISIONS = {
    "cat/1.png": Decision("cat/1.png", "relabel", "dog"),
    "cat/2.png": Decision("cat/2.png", "drop"),
    "dog/1.png": Decision("dog/1.png", "keep"),
    "dog/2.png": Decision("dog/2.png", "unsure"),
}


@pytest.fixture
def photos(tmp_path: Path) -> list[Audited]:
    """Twelve pictures in two folders."""
    rng = np.random.default_rng(1)
    found = []
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            path = tmp_path / "photos" / name / f"{number}.png"
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
            found.append(Audited(f"{name}/{number}.png", name, path, hashlib.sha256(path.read_bytes()).hexdigest()))
    return found


def test_the_table_is_read_as_a_dataset(photos: list[Audited], tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    out = tmp_path / "tables" / "cleaned.csv"
    before = {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.png")}
    counts = write(photos, DECISIONS, out)
    assert counts == {"relabel": 1, "drop": 1, "keep": 1, "unsure": 1, "not looked at": 8}
    data = nlcore.dataset("csv", train=str(out), size=16)
    labels = {
        Path(str(sample)).relative_to("../photos").as_posix(): data.classes[label]
        for split in (data.train, data.test)
        for sample, label in zip(split.ids, split.labels, strict=True)
    }
    expected = {sample.id: sample.given for sample in photos if sample.id != "cat/2.png"}
    assert labels == {**expected, "cat/1.png": "dog"}
    assert {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.png")} == before


def test_it_is_read_as_labels_too(photos: list[Audited], tmp_path: Path) -> None:
    write(photos, DECISIONS, tmp_path / "cleaned.csv")
    (tmp_path / "decisions.csv").write_text("audit,id,decision,label\nx,cat/2.png,drop,\n")
    words: dict[str, Any] = {
        "dataset": "image_folder",
        "dataset.folder": str(tmp_path / "photos"),
        "dataset.size": 16,
        "labels": str(tmp_path / "cleaned.csv"),
        "exclude": str(tmp_path / "decisions.csv"),
        "runs_dir": str(tmp_path / "runs"),
        "architecture.width": 2,
        "epochs": 1,
        "batch_size": 2,
        "threads": "1",
    }
    result = nlcore.run(quiet=True, **words)
    labels = np.load(result.run_dir / "labels.npz")
    given_labels = dict(zip(labels["ids"].tolist(), labels["given"].tolist(), strict=True))
    assert "cat/2.png" not in given_labels
    trained = {sample.id: int(sample.given == "dog") for sample in photos if sample.id in given_labels}
    assert given_labels == trained | ({"cat/1.png": 1} if "cat/1.png" in trained else {})


def test_samples_without_files(tmp_path: Path) -> None:
    text, _ = cleaned([Audited("7", "cat"), Audited("8", "dog")], {"8": Decision("8", "relabel", "cat")}, tmp_path)
    assert text.splitlines() == ["id,label", "7,cat", "8,cat"]


def test_what_changed_since_is_named(photos: list[Audited], tmp_path: Path) -> None:
    first, second = photos[1].path, photos[3].path
    assert first is not None
    assert second is not None
    second.write_bytes(b"another")  # nobody decided on it
    assert write(photos, DECISIONS, tmp_path / "cleaned.csv")
    first.write_bytes(b"another")
    with pytest.raises(UserError, match=r"1 file that you decided on changed since the audit: cat/1\.png\. Take"):
        write(photos, DECISIONS, tmp_path / "cleaned.csv")
    first.unlink()
    with pytest.raises(UserError, match=r"1 file can no longer be read: cat/1\.png\. Put them back, drop them"):
        write(photos, DECISIONS, tmp_path / "cleaned.csv")


def test_a_file_that_is_gone_is_named_unless_it_is_dropped(photos: list[Audited], tmp_path: Path) -> None:
    dropped, undecided = photos[2].path, photos[3].path
    assert dropped is not None
    assert undecided is not None
    dropped.unlink()
    assert write(photos, DECISIONS, tmp_path / "cleaned.csv")
    undecided.unlink()
    with pytest.raises(UserError, match=r"1 file can no longer be read: cat/3\.png\."):
        write(photos, DECISIONS, tmp_path / "cleaned.csv")


def test_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="drop every sample"):
        cleaned([Audited("7", "cat")], {"7": Decision("7", "drop")}, tmp_path / "x.csv")


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(lambda text: text.strip())


@settings(max_examples=60)
@given(st.dictionaries(names, st.tuples(names, st.sampled_from(["keep", "relabel", "drop", "none"])), min_size=1))
def test_every_name_comes_back(tmp_path_factory: pytest.TempPathFactory, content: dict[str, tuple[str, str]]) -> None:
    samples = [Audited(sample, label) for sample, (label, _) in content.items()]
    decisions = {
        sample: Decision(sample, what, "new" if what == "relabel" else "")
        for sample, (_, what) in content.items()
        if what != "none"
    }
    if all(what == "drop" for _, what in content.values()):
        return
    text, _ = cleaned(samples, decisions, Path("cleaned.csv"))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1:] == [
        [sample, "new" if what == "relabel" else label] for sample, (label, what) in content.items() if what != "drop"
    ]
