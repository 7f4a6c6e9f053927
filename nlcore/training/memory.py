"""Running out of memory, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nlcore.config.experiment import Experiment
from nlcore.errors import RunError


@contextmanager
def memory_in_words(experiment: Experiment) -> Iterator[None]:
    """
    Say what to lower where memory runs out inside.

    Raises:
        RunError: it did.

    """
    lower = f"lower --batch-size (now {experiment.settings.batch_size})"
    if "width" in experiment["architecture"].params:
        lower += f" or --architecture.width (now {experiment['architecture'].params['width']})"
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise RunError(f"Out of memory: {lower}.") from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # the CPU allocator raises no class of its own
            raise
        raise RunError(f"Out of memory: {lower}.") from error
