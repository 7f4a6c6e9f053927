"""What is warned of while files are read is kept by file or dropped, and what others warn of is not."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nlcore.data.image_files import read_image
from nlcore.data.image_warnings import collected_warnings, dropped_warnings, reading


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write an image of which Pillow warns as too large."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.fromarray(np.zeros((36, 36, 3), np.uint8)).save(tmp_path / "large.png")
    return tmp_path / "large.png"


def test_warnings_are_kept_by_file_and_not_printed(large: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = large.with_name("small.png")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(small)
    with collected_warnings() as found:
        for path in (large, small):
            read_image(path, (3, 8, 8))
    assert list(found) == [large]
    assert "1296 pixels" in found[large]
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_read_within_the_reading_of_another_ends_it_not(large: Path) -> None:
    with collected_warnings() as found, reading("outer"):
        read_image(large, (3, 8, 8))
        warnings.warn("of the outer one", UserWarning, stacklevel=1)
    assert [*found] == [large, "outer"]


def test_warnings_are_dropped_in_several_threads_until_the_last_is_done(
    large: Path, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always")
    before = warnings.showwarning
    inside, first_is_out = threading.Barrier(2), threading.Event()

    def read(first: bool) -> None:
        with dropped_warnings:
            inside.wait(10)
            if not first:
                first_is_out.wait(10)
            read_image(large, (3, 8, 8))
        first_is_out.set()

    threads = [threading.Thread(target=read, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not recwarn.list
    assert warnings.showwarning is before
    read_image(large, (3, 8, 8))
    assert len(recwarn.list) == 1


def test_what_others_warn_of_once_is_shown_once_and_not_with_every_batch(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("default")
    for _ in range(3):
        with dropped_warnings:
            warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(one.message) for one in recwarn.list] == ["something else"]
