"""What code for tensors has to know of their device and precision."""

import torch


def is_synchronous(device: torch.device) -> bool:
    """Whether reading a tensor's value does not wait for a queue: True on the CPU alone.

    A GPU works through a queue. To read a value there, or to make a tensor whose shape depends on
    values (``nonzero``, ``unique``, a mask as an index), waits until the queue is empty. Code that
    is faster by such operations asks here, and has another way for devices with a queue.
    """
    return device.type == "cpu"


def in_float32(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Tensors no narrower than float32: scores over a small tau need its range and digits."""
    return [t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors]
