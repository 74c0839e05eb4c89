"""serving_load.py: it asks a service and says how long that took."""

import re

import asking
import pytest
import serving_load


@pytest.mark.slow
def test_it_measures_one_client_and_many(capfd, monkeypatch):
    asking.service_or_skip()
    monkeypatch.setattr(serving_load, "USERS", 50)
    serving_load.main(0.5, 300)
    said, err = capfd.readouterr()
    lines = re.findall(
        r"300 items, (\d+) clients?: ([\d,]+) requests/s, p50 ([\d.]+) ms, p99 ([\d.]+) ms, "
        r"([\d.]+) ms of the service's processor time each\n", said
    )  # fmt: skip
    assert [line[0] for line in lines] == ["1", "32"] and err == ""
    for _, a_second, p50, p99, _ in lines:
        assert int(a_second.replace(",", "")) > 0 and 0 < float(p50) <= float(p99)
