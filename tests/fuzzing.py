"""What tests with generated input share: whatever comes in, it is read rightly or refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings

from nlcore import UserError

FUZZ = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@contextmanager
def refused_or_read(folder: Path) -> Iterator[None]:
    """Let a refusal pass if it is a sentence, nothing else; and nothing in the folder may change."""
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    refusal = None
    try:
        yield
    except UserError as error:
        refusal = str(error)
    assert refusal is None or refusal.strip()
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before
