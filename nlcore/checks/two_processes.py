"""Training the toy in two processes, and how that differs from one."""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from torch import Tensor

from nlcore.host.registry import registry
from nlcore.runs.team import Team, team
from nlcore.testing.tiny_run import TinyRun
from nlcore.testing.toy import ExactArchitecture
from nlcore.training.hardware import using_threads
from nlcore.training.processes import ALONE, Processes

EPOCHS = 2
TOLERANCE = 1e-4  # of weights of about 0.1 to 1 after six steps; of the built-ins the furthest ends 4e-6 away
_PATIENCE = datetime.timedelta(minutes=2)


@dataclass(frozen=True)
class _Reference:
    """Where another process finds a class, and what its instances are made with."""

    module: str
    file: str
    name: str
    params: Mapping[str, Any]

    @classmethod
    def of(cls, what: type) -> _Reference:
        file = str(getattr(sys.modules.get(what.__module__), "__file__", ""))
        return cls(what.__module__, file, what.__qualname__, getattr(what, "__checked_with__", {}))

    def find(self) -> Callable[[], Any]:
        registry()  # imports what lies in single files
        return functools.partial(attrgetter(self.name)(self._module()), **self.params)

    def _module(self) -> Any:
        try:
            return importlib.import_module(self.module)
        except ImportError:  # it was not found by its name, as tests are
            spec = importlib.util.spec_from_file_location(self.module, self.file)
            if spec is None or spec.loader is None:
                raise
            module = sys.modules[self.module] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module


def from_one_process(strategy: type, loss: type | None) -> str:
    """Return in words how training in two processes ends elsewhere than in one; empty where it does not."""
    asked = (_Reference.of(strategy), _Reference.of(loss) if loss else None)
    expected = _trained(ALONE, *asked)
    here = {key: value for key, value in os.environ.items() if key.startswith("NL_")}
    try:
        pair = _pair()
        pair.tell(_train, here, [*sys.path], *asked)
        found = _trained(pair.processes, *asked)
        pair.rest()
    except BaseException:
        _end()  # who knows where the other one stands
        raise
    for key, value in expected.items():
        furthest = (found[key].double() - value.double()).abs().max().item()
        if not furthest <= TOLERANCE:
            return f"{key} ends {furthest:.2g} away from where it ends in one"
    return ""


def _train(processes: Processes, here: Mapping[str, str], path: list[str], *asked: Any) -> None:
    """Be the second process."""
    for key in [key for key in os.environ if key.startswith("NL_")]:
        del os.environ[key]
    os.environ.update(here)
    sys.path[:] = path
    with using_threads(1):
        _trained(processes, *asked)


def _trained(processes: Processes, strategy: _Reference, loss: _Reference | None) -> dict[str, Tensor]:
    """Return all weights, by network and name, after training the toy."""
    run = TinyRun(
        strategy.find()(),
        EPOCHS,
        make_loss=loss.find() if loss else None,
        architecture=ExactArchitecture(),
        processes=processes,
    )
    run.train()
    return {f"{name}.{key}": one for name, net in run.ctx.saved.items() for key, one in net.state_dict().items()}


_open = contextlib.ExitStack()


@functools.cache
def _pair() -> Team:
    """Return two processes, which serve all checks."""
    return _open.enter_context(team(2, 1, "cpu", _PATIENCE))


def _end() -> None:
    _open.close()
    _pair.cache_clear()
