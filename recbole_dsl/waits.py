"""Where Python may look at the values of tensors. Imports nothing.

A GPU works through a queue: to read a value, or to make a tensor whose shape follows from values,
is to wait until the queue is empty. Code with a shorter way for those who may look asks here.
"""


def may_look(device):
    """Whether values of tensors on a torch.device are there at once."""
    return device.type == "cpu"
