"""Device, precision and threads: what is asked for, what is there, and what is said where it is not."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import Net
from torch import Tensor, nn

from nlcore import ParameterError, UserError
from nlcore.training.hardware import resolve_hardware, resolve_threads, using_threads


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let torch report this many GPUs."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.mark.parametrize("device", ["tpu", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:1.5", "", "cpu:0"])
def test_a_device_of_another_name_is_refused(device: str) -> None:
    with pytest.raises(ParameterError, match="must be auto, cpu, cuda or cuda:N") as caught:
        resolve_hardware(device, "fp32", "1")
    assert f"device = {device}:" in str(caught.value)


@pytest.mark.parametrize(
    ("device", "count", "there"),
    [
        ("cuda", 0, "no CUDA device"),
        ("cuda:0", 0, "no CUDA device"),
        ("cuda:7", 0, "no CUDA device"),
        ("cuda:7", 1, "cuda:0 here"),
        ("cuda:2", 2, "cuda:0 to cuda:1"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    device: str, count: int, there: str, gpus: Callable[[int], None]
) -> None:
    gpus(count)
    with pytest.raises(UserError, match=there) as caught:
        resolve_hardware(device, "fp32", "1")
    assert f"device = {device}" in str(caught.value)
    assert "--device cpu" in str(caught.value)


def test_auto_is_the_cpu_where_there_is_no_gpu(gpus: Callable[[int], None]) -> None:
    gpus(0)
    hardware = resolve_hardware("auto", "fp32", "1")
    assert hardware.device == torch.device("cpu")
    assert hardware.name == "CPU"
    assert hardware.threads == 1
    assert hardware.precision == "fp32"


@pytest.mark.parametrize("threads", ["0", "abc", "-1", "1.5", "", " 2", "10000", "01"])
def test_a_number_of_threads_that_is_none_is_refused(threads: str) -> None:
    with pytest.raises(ParameterError, match="must be auto or a whole number from 1 to") as caught:
        resolve_hardware("cpu", "fp32", threads)
    assert f"threads = {threads}:" in str(caught.value)


def test_a_precision_of_another_name_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"precision = fp16: must be auto, fp32 or bf16"):
        resolve_hardware("cpu", "fp16", "1")


def test_threads_are_the_processors_of_this_process_or_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert resolve_threads("auto") == 3
    assert resolve_threads("2") == 2
    with pytest.raises(ParameterError, match="from 1 to 3, the number of processors"):
        resolve_threads("4")


def test_threads_are_those_of_the_machine_where_a_process_has_none_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert resolve_threads("auto") == 5


@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_as_before_outside(fails: bool) -> None:
    torch.set_num_threads(2)
    try:
        with using_threads(1):
            assert torch.get_num_threads() == 1
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert torch.get_num_threads() == 2


class Seen(nn.Module):
    """Notes the dtype of what a linear layer returns."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 3)
        self.dtypes: list[torch.dtype] = []

    def features(self, x: Tensor) -> Tensor:
        """Map (B, 8) to (B, 3)."""
        out: Tensor = self.head(x)
        self.dtypes.append(out.dtype)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Do the same."""
        return self.features(x)


@pytest.mark.parametrize(("precision", "inside"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_logits_are_float32_whatever_is_computed_with(precision: str, inside: torch.dtype) -> None:
    hardware = resolve_hardware("cpu", precision, "1")
    assert hardware.precision == precision
    network = Seen()
    placed = hardware.place(network)
    assert placed(torch.randn(4, 8)).dtype == torch.float32
    assert network.dtypes == [inside]
    assert {p.dtype for p in placed.parameters()} == {torch.float32}


def test_bf16_gives_gradients_in_float32_that_are_near_those_of_fp32() -> None:
    gradients = []
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        hardware = resolve_hardware("cpu", precision, "1")
        placed = hardware.place(Net(3, 1, 4, dropout=0.0))
        optimizer = hardware.wrap(torch.optim.SGD(placed.parameters(), lr=0.1))
        optimizer.zero_grad()
        hardware.backward(placed(torch.rand(16, 1, 8, 8)).logsumexp(1).mean())
        gradients.append(next(p.grad for name, p in placed.named_parameters() if name.endswith("head.weight")))
    exact, rounded = gradients
    assert exact is not None
    assert rounded is not None
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).norm() / exact.norm() < 0.05


def test_a_placed_network_is_in_channels_last_and_does_the_same() -> None:
    network = Net(3, 3, 4, dropout=0.0).eval()
    images = torch.rand(2, 3, 8, 8)
    expected = network(images)
    placed = resolve_hardware("cpu", "fp32", "1").place(network)
    weight = next(p for p in placed.parameters() if p.dim() == 4)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(placed(images), expected, atol=1e-6, rtol=1e-5)


def test_auto_takes_bf16_where_the_processor_has_instructions_for_it() -> None:
    told = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not told.is_file():
        pytest.skip("the kernel does not tell what the processor can do")
    flags = next(line for line in told.read_text().splitlines() if line.startswith("flags")).split()
    expected = "bf16" if {"avx512_bf16", "amx_tile"} & set(flags) else "fp32"
    assert resolve_hardware("cpu", "auto", "1").precision == expected


@pytest.mark.slow
def test_the_peak_of_memory_is_the_process_s_own() -> None:
    """Without what the parent holds, and with 0.3 GB that are held for a moment."""
    code = (
        "import torch; from nlcore.training.hardware import peak_memory; cpu = torch.device('cpu')\n"
        "before = peak_memory(cpu); held = bytearray(b'x') * 300_000_000; del held; print(before, peak_memory(cpu))"
    )
    ours = bytearray(b"x") * 2_000_000_000
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    del ours
    before, after = map(float, done.stdout.split())
    assert before < 1.9
    assert 0.29 < after - before < 0.32
