"""Which device a run uses: ``device``, ``use_gpu`` and ``gpu_id`` mean what they say."""

import re

import torch

from recbole_dsl.settings import UsageError


def choose_device(device, use_gpu, gpu_id, *, nproc=1, local_rank=0):
    """Resolve the three settings to the device of a process. The environment is left alone.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N"; anything but "auto" wins over the other two.
        use_gpu: False keeps an "auto" run on the CPU.
        gpu_id: ids as RecBole writes them, "0" or "0,1" or ""; they count the devices that
            CUDA_VISIBLE_DEVICES leaves visible. Each process uses one, in this order.
        nproc: processes on this machine.
        local_rank: which of them this is.
    Returns:
        (torch.device, str): the device and, in a few words, why it was chosen.
    Raises:
        UsageError: a malformed value, a GPU asked for by name that is not there, or fewer GPUs
            than processes.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu":
        return torch.device("cpu"), "device: cpu"
    named = re.fullmatch(r"cuda(?::(\d+))?", str(device))
    if named and nproc > 1:
        raise UsageError(
            f"device {device!r} is one GPU, for nproc {nproc}: leave device=auto and name "
            f"{nproc} GPUs, gpu_id={_first_ids(nproc)}"
        )
    if named:
        index = int(named[1] or 0)
        if index >= count:
            raise UsageError(
                f"device {device!r} is not there: {count} CUDA device(s) found; use device=cpu"
            )
        return torch.device("cuda", index), f"device: {device}"
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
    index = int(ids[local_rank])
    why = f"gpu_id: {gpu_id}"
    if len(ids) > nproc:
        why += f"; {nproc} of {len(ids)} GPUs used, as nproc is {nproc}"
    return torch.device("cuda", index), why


def _first_ids(n):
    return ",".join(map(str, range(n)))
