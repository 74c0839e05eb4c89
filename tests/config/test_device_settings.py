import pytest
import torch
from configs import config_of

from recbole_dsl.common.device import choose_device
from recbole_dsl.common.errors import UsageError


def test_device_settings_mean_what_they_say(monkeypatch):
    assert config_of("MF_SL", "device=cpu")["device"] == torch.device("cpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert choose_device("auto", True, "1")[0] == torch.device("cuda", 1)
    assert choose_device("cuda:1", False, "")[0] == torch.device("cuda", 1)
    assert choose_device("auto", False, "0")[0] == torch.device("cpu")
    assert choose_device("auto", True, "")[0] == torch.device("cpu")
    device, why = choose_device("auto", True, "0,1")
    assert device == torch.device("cuda", 0) and "1 of 2 GPUs used" in why
    with pytest.raises(UsageError, match="gpu_id 2 is not there: CUDA devices 0 to 1"):
        choose_device("auto", True, "2")


def test_each_process_gets_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    chosen = [choose_device("auto", True, "2,0", nproc=2, local_rank=rank)[0] for rank in (0, 1)]
    assert chosen == [torch.device("cuda", 2), torch.device("cuda", 0)]
    for ids in ("0", "1,1"):
        with pytest.raises(UsageError, match=r"names 1 GPU\(s\) for nproc 2.*gpu_id=0,1, or"):
            choose_device("auto", True, ids, nproc=2)
    with pytest.raises(UsageError, match="gpu_id 3 is not there: CUDA devices 0 to 2"):
        choose_device("auto", True, "0,3", nproc=2)
    with pytest.raises(UsageError, match="device 'cuda:0' is one GPU, for nproc 2: leave device"):
        choose_device("cuda:0", True, "0,1", nproc=2)
    assert choose_device("cpu", True, "0", nproc=2)[0] == torch.device("cpu")
