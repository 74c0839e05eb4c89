"""Which device a run uses, from the settings ``device``, ``use_gpu`` and ``gpu_id``."""

import re
from collections.abc import Sequence

import torch

from recbole_dsl.common.errors import UsageError


def choose_device(
    device: object, use_gpu: bool, gpu_id: object, *, nproc: int = 1, local_rank: int = 0
) -> tuple[torch.device, str]:
    """The device of a process. No environment variable is changed.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N"; anything but "auto" wins over the other two.
        use_gpu: False keeps an "auto" run on the CPU.
        gpu_id: ids as RecBole writes them, "0" or "0,1" or ""; they count the devices that
            CUDA_VISIBLE_DEVICES leaves visible. Each process uses one, in this order.
        nproc: processes on this machine.
        local_rank: which of them this is.
    Returns:
        The device and, in a few words, why it was chosen.
    Raises:
        UsageError: a malformed value, a GPU asked for by name that is not there, or fewer GPUs
            than processes.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu":
        return torch.device("cpu"), "device: cpu"
    named = re.fullmatch(r"cuda(?::(\d+))?", str(device))
    if named:
        return _named_gpu(device, int(named[1] or 0), nproc, count), f"device: {device}"
    if device != "auto":
        raise UsageError(f"device must be auto, cpu or cuda:N, got {device!r}")

    ids = list(dict.fromkeys(part.strip() for part in str(gpu_id).split(",") if part.strip()))
    if not all(part.isdigit() for part in ids):
        raise UsageError(f"gpu_id must be ids like 0 or 0,1 (or empty for the CPU), got {gpu_id!r}")
    if not use_gpu:
        return torch.device("cpu"), "use_gpu: False"
    if not ids:
        return torch.device("cpu"), "gpu_id is empty"
    if count == 0:
        return torch.device("cpu"), "no CUDA device found"
    _check_gpus(gpu_id, ids, count, nproc)
    why = f"gpu_id: {gpu_id}"
    if len(ids) > nproc:
        why += f"; {nproc} of {len(ids)} GPUs used, as nproc is {nproc}"
    return torch.device("cuda", int(ids[local_rank])), why


def _check_gpus(gpu_id: object, ids: Sequence[str], count: int, nproc: int) -> None:
    """Each of nproc processes needs a GPU of its own, among the count that are visible."""
    if len(ids) < nproc:
        raise UsageError(
            f"gpu_id {gpu_id!r} names {len(ids)} GPU(s) for nproc {nproc}, and each process "
            f"needs its own: gpu_id={_first_ids(nproc)}, or device=cpu to share the CPU cores"
        )
    for index in map(int, ids[:nproc]):
        if index >= count:
            raise UsageError(
                f"gpu_id {index} is not there: CUDA devices 0 to {count - 1} are visible"
            )


def _named_gpu(device: object, index: int, nproc: int, count: int) -> torch.device:
    if nproc > 1:
        raise UsageError(
            f"device {device!r} is one GPU, for nproc {nproc}: leave device=auto and name "
            f"{nproc} GPUs, gpu_id={_first_ids(nproc)}"
        )
    if index >= count:
        raise UsageError(
            f"device {device!r} is not there: {count} CUDA device(s) found; use device=cpu"
        )
    return torch.device("cuda", index)


def _first_ids(n: int) -> str:
    return ",".join(map(str, range(n)))
