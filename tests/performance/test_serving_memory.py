"""serving_memory.py: recommending from a large model stays in bounded memory."""

import re

import pytest
import serving_memory


@pytest.mark.slow
def test_a_million_items_are_ranked_in_less_than_1_gib(capfd):
    serving_memory.main(256)
    said = capfd.readouterr().out
    assert re.search(r"^recommend: 5,120 rows", said, re.MULTILINE)
    peaks = [int(peak) for peak in re.findall(r"peak (\d+) MiB", said)]
    assert len(peaks) == 2 and max(peaks) < 1024
