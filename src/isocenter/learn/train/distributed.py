"""Training over several processes, GPUs or machines: what the engine asks of torch.distributed, and a launcher.

Each process computes the gradient of its own batches; they are averaged after every step, so that all hold the same weights. Started
by `launch` on one machine, or by ``torchrun`` on several (it sets the same variables).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from isocenter.core.errors import ParameterError

__all__ = ["decided", "first", "joined", "launch", "mean", "rank", "shared", "summed", "world", "wrap"]

Value = TypeVar("Value")


def _active() -> bool:
    return dist.is_available() and dist.is_initialized()


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if _active() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if _active() else 0


def wrap(net: nn.Module, device: torch.device) -> nn.Module:
    """Return a network that averages gradients over the processes; itself where there is one."""
    if world() == 1:
        return net
    return nn.parallel.DistributedDataParallel(net, device_ids=[device] if device.type == "cuda" else None)


def mean(value: float) -> float:
    """Return the mean of a number over the processes."""
    if world() == 1:
        return value
    total = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        total = total.cuda()
    dist.all_reduce(total)
    return float(total) / world()


def shared(value: Mapping[str, float]) -> Mapping[str, float]:
    """Return what process 0 has."""
    return decided(lambda: dict(value))


def decided(make: Callable[[], Value]) -> Value:
    """Return what process 0 makes, in every process; what depends on the machine or writes files is made once."""
    if world() == 1:
        return make()
    box: list[Any] = [make() if rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    found: Value = box[0]
    return found


@contextlib.contextmanager
def first() -> Iterator[None]:
    """Let process 0 go before all others, which then find what it has written."""
    if world() > 1 and rank() > 0:
        dist.barrier()
    try:
        yield
    finally:
        if world() > 1 and rank() == 0:
            dist.barrier()


class _Summed(torch.autograd.Function):
    """Sum over the processes; what each does to it, all others feel."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        total = slope.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def summed(value: Tensor) -> Tensor:
    """Return the sum of a tensor over the processes while they train (in step: validation is one process's own)."""
    if world() == 1 or not torch.is_grad_enabled():
        return value
    total: Tensor = _Summed.apply(value)
    return total


def joined() -> bool:
    """Join the group that ``torchrun`` describes in the environment; return whether there is one. Trainings do so themselves."""
    if _active():
        return True
    described = all(name in os.environ for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE"))
    if described and int(os.environ["WORLD_SIZE"]) > 1:
        atexit.register(dist.destroy_process_group)
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    return _active()


def launch(function: Callable[..., None], processes: int, *arguments: Any) -> None:
    """Run `function(*arguments)` in several processes of one machine that train together.

    Parameters
    ----------
    function
        Importable by name; what it returns is lost, so it writes its result.
    processes
        How many, one per GPU where there are GPUs.
    arguments
        Passed to it.
    """
    if processes < 1:
        raise ParameterError(f"{processes} training processes: expected 1 or more.")
    if processes == 1:
        function(*arguments)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(_enter, (processes, port, torch.get_num_threads(), function, arguments), nprocs=processes)


def _enter(
    number: int, processes: int, port: int, threads: int, function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(threads)
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(number)
    store = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("nccl" if gpu else "gloo", init_method=store, rank=number, world_size=processes)
    try:
        function(*arguments)
    finally:
        dist.destroy_process_group()
