"""The README's picture shows what the page of the models on ml-100k says."""

import pytest
import zoo_picture


@pytest.fixture(scope="module")
def text():
    return zoo_picture.PAGE.read_text(encoding="utf-8")


def test_values_are_those_of_the_tables(text):
    iid, shifted = (zoo_picture.values(test, text) for test in ("iid", "popularity"))
    assert iid.keys() == shifted.keys() and len(iid) == 23
    row = next(line for line in text.split("\n") if line.startswith("| XSimGCL_PSL "))
    mean, deviation = iid["XSimGCL_PSL"]
    assert f"{mean:.4f} ± {deviation:.4f}" in row
    assert all(shifted[model][0] < iid[model][0] for model in iid)


def test_the_picture_has_every_model_above_its_left_edge(text):
    iid, shifted = (zoo_picture.values(test, text) for test in ("iid", "popularity"))
    drawn = zoo_picture.figure(text)
    points = {(x, y) for trace in drawn.data for x, y in zip(trace.x, trace.y, strict=True)}
    for model, (mean, _) in iid.items():
        if mean > 0.3:
            assert (mean, shifted[model][0]) in points, model
    assert zoo_picture.PAGE.with_suffix(".svg").exists()
