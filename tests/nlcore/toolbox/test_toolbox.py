"""The package's names: all there, light to import, and typed as what they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nlcore import toolbox


def test_every_public_name_is_there() -> None:
    for name in toolbox.__all__:
        assert getattr(toolbox, name) is not None


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, nlcore.toolbox; print([m for m in ('torch', 'numpy', 'sklearn', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_from_the_inside_of_nlcore_do_what_they_say() -> None:
    assert ".png" in toolbox.IMAGE_SUFFIXES
    assert toolbox.show_value(0.5) == "0.5"
    assert toolbox.available_cpus() >= 1


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'nlcore.toolbox' has no attribute 'mixup'"):
        _ = toolbox.mixup  # type: ignore[attr-defined]
