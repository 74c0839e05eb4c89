"""Exchanges between the processes of one run, through torch.distributed.

In a run of one process every function below returns at once, so that callers need not ask. Tensors
on a GPU are sent through NCCL, those on the CPU through gloo. What Python has to know (shapes and
which parameters have a gradient) is exchanged on the CPU, so that no step waits for a GPU.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

# Distance between the seeds of two processes: larger than that of seeds which users try one after
# the other, so that no run repeats another process's seed.
_SEED_STRIDE = 1_000_003

# What a barrier sends. It lives as long as the process: where it is the last tensor sent and Python
# has let go of it, a thread of gloo frees it, which needs Python's lock, while the end of the group
# holds the lock and waits for the thread (seen with torch 2.4: the process never ends).
_NOTHING = torch.zeros(1)


class World(NamedTuple):
    """The place of a process among those of its run.

    Attributes:
        rank, size: its number among all processes of the run, and how many there are.
        local_rank, local_size: the same among the processes of its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def main(self) -> bool:
        """Whether it is the one process that writes log, checkpoint and result."""
        return self.rank == 0


_world = World()


def world() -> World:
    """The :class:`World` of this process; outside :func:`joined`, that of a single process."""
    return _world


@contextlib.contextmanager
def joined(place: World, **rendezvous: Any) -> Iterator[None]:
    """Inside, this process is one of those of a run, and :func:`world` is its place.

    Args:
        place: the process's :class:`World`.
        rendezvous: ``store`` or ``init_method``, as ``init_process_group`` takes them.
    """
    global _world
    nccl = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if nccl else "gloo",
        rank=place.rank,
        world_size=place.size,
        **rendezvous,
    )
    before, threads = _world, torch.get_num_threads()
    _world = place
    if "OMP_NUM_THREADS" not in os.environ:  # share the cores; torchrun would use one each
        torch.set_num_threads(max(threads // place.local_size, 1))
    try:
        yield
        barrier()  # no process leaves while another still reads from it
    finally:
        _world = before
        torch.set_num_threads(threads)
    # Not after an error: the others may never answer, and the group ends with the process.
    dist.destroy_process_group()


def backend(device: torch.device) -> str | None:
    """Name of the backend that sends tensors of a device; None in a run of one process."""
    if _world.size == 1:
        return None
    return "nccl" if device.type == "cuda" else "gloo"


def own_seed(seed: int) -> int:
    """A seed for what must differ between processes; the main process's is the seed itself."""
    return (seed + _SEED_STRIDE * _world.rank) % 2**32


def barrier() -> None:
    """Wait for all processes."""
    if _world.size > 1:
        dist.all_reduce(_NOTHING)


@contextlib.contextmanager
def first_on_machine() -> Iterator[None]:
    """Run the block in the first process of each machine, then in the others."""
    if _world.local_rank > 0:
        barrier()
    yield
    if _world.local_rank == 0:
        barrier()


def own_part(n: int) -> range:
    """This process's shard of range(n), possibly empty; each number is in exactly one shard."""
    rank, size = _world.rank, _world.size
    return range(rank * n // size, (rank + 1) * n // size)


def from_main(value: Any = None) -> Any:
    """The main process's value, plain data, in all processes; what the others pass is ignored."""
    if _world.size == 1:
        return value
    box = [value if _world.main else None]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def from_all(value: Any) -> list[Any]:
    """The values of all processes, plain data, by rank."""
    if _world.size == 1:
        return [value]
    box: list[Any] = [None] * _world.size
    dist.all_gather_object(box, value)
    return box


@torch.no_grad()
def copy_from_main(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite each dense tensor with the main process's, in place."""
    if _world.size > 1:
        for tensor in tensors:
            whole = tensor.contiguous()
            dist.broadcast(whole, src=0)
            if whole is not tensor:
                tensor.copy_(whole)


@torch.no_grad()
def add_up(tensors: Iterable[torch.Tensor]) -> None:
    """Replace each tensor with its sum over all processes, in place."""
    if _world.size > 1:
        for tensor in tensors:
            dist.all_reduce(tensor)


@torch.no_grad()
def gather_rows(tensor: torch.Tensor) -> torch.Tensor:
    """(N_r, ...) in the process of rank r -> (N_0 + N_1 + ..., ...) in all, in order of rank."""
    if _world.size == 1:
        return tensor
    counts = torch.zeros(_world.size, dtype=torch.int64)
    counts[_world.rank] = len(tensor)
    dist.all_reduce(counts)
    rows: list[int] = counts.tolist()
    sent = tensor.new_zeros(max(rows), *tensor.shape[1:])  # all_gather needs equal shapes
    sent[: len(tensor)] = tensor
    parts = [torch.empty_like(sent) for _ in rows]
    if sent.numel():
        dist.all_gather(parts, sent)
    return torch.cat([part[:n] for part, n in zip(parts, rows, strict=True)])


_ABSENT, _DENSE, _SPARSE = range(3)


class GradientAverage:
    """Averages gradients over the processes, all dense ones in a single exchange.

    The result is what a mean over the rows of all processes gives, where each has as many rows. A
    parameter without a gradient counts as zero where another process has one, and is left without
    one where none has. Sparse gradients (COO, sparse in the rows) stay sparse: the rows and values
    of all processes are concatenated.

    Args:
        parameters: those of the model; ones that require no gradient are left out.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._buffers: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}

    @torch.no_grad()
    def __call__(self) -> None:
        """Replace each gradient by the average, in all processes at once."""
        if _world.size == 1:
            return
        parameters = [p for p in self._parameters if p.requires_grad]
        kinds = torch.tensor([self._kind(p.grad) for p in parameters], dtype=torch.int32)
        dist.all_reduce(kinds, op=dist.ReduceOp.MAX)
        groups: dict[tuple[torch.device, torch.dtype], list[torch.nn.Parameter]] = {}
        for parameter, kind in zip(parameters, kinds.tolist(), strict=True):
            if kind == _SPARSE:
                parameter.grad = self._sparse(parameter)
            elif kind == _DENSE:
                groups.setdefault((parameter.device, parameter.dtype), []).append(parameter)
        for key, group in groups.items():
            self._dense(key, group)

    @staticmethod
    def _kind(grad: torch.Tensor | None) -> int:
        if grad is None:
            return _ABSENT
        return _SPARSE if grad.is_sparse else _DENSE

    def _dense(
        self,
        key: tuple[torch.device, torch.dtype],
        parameters: Sequence[torch.nn.Parameter],
    ) -> None:
        sizes = [p.numel() for p in parameters]
        flat = self._buffers.get(key)
        if flat is None or len(flat) != sum(sizes):
            device, dtype = key
            flat = self._buffers[key] = torch.empty(sum(sizes), device=device, dtype=dtype)
        parts = [x.view(p.shape) for x, p in zip(torch.split(flat, sizes), parameters, strict=True)]
        for part, parameter in zip(parts, parameters, strict=True):
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad)
        dist.all_reduce(flat)
        flat /= _world.size
        for part, parameter in zip(parts, parameters, strict=True):
            parameter.grad = part  # a view of the buffer: no copy back

    @staticmethod
    def _sparse(parameter: torch.nn.Parameter) -> torch.Tensor:
        grad = parameter.grad
        if grad is None:
            rows = torch.empty(0, dtype=torch.int64, device=parameter.device)
            values = parameter.new_empty(0, *parameter.shape[1:])
        else:
            grad = (grad if grad.is_sparse else grad.to_sparse(1)).coalesce()
            rows, values = grad.indices()[0], grad.values()
        rows, values = gather_rows(rows), gather_rows(values) / _world.size
        shape = parameter.shape
        return torch.sparse_coo_tensor(
            rows.unsqueeze(0), values, shape, check_invariants=False
        ).coalesce()
