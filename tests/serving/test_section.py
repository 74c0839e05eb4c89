"""The section of a checkpoint from which a model is served."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import served
import torch

from recbole_dsl.common import seal
from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving import section
from recbole_dsl.training import sealed_file


def _equal(a, b):
    assert a.meta == b.meta and list(a.seen) == list(b.seen)
    for x, y in zip(a[1:5], b[1:5], strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    for part in a.seen:
        for x, y in zip(a.seen[part], b.seen[part], strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_appended_is_read_again_and_torch_reads_its_own_part(tmp_path, dtype):
    content = served.section(dtype=dtype)
    path = served.write(tmp_path / "a.pth", content)
    _equal(section.read(path), content)
    assert section.read(path).digest == path.read_bytes()[-64:].decode()
    assert sealed_file.read(path) == torch.load(path, weights_only=True) == {"weights": [0, 1, 2]}
    assert [p.name for p in tmp_path.iterdir()] == ["a.pth"]
    with pytest.raises(RuntimeError, match="has a section for serving already"):
        section.append(path, content)
    _equal(section.read(path), content)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    paths = [served.write(tmp_path / name / "a.pth", served.section()) for name in "ab"]
    entries = []
    for path in paths:  # but for what torch writes of the file's temporary name
        with zipfile.ZipFile(path) as archive:
            of_section = [info for info in archive.infolist() if "/serving/" in info.filename]
            entries.append([(info.date_time, archive.read(info)) for info in of_section])
    assert entries[0] == entries[1] and len(entries[0]) == 13


def test_item_lists_hold_each_pair_once_in_order():
    lists = section.item_lists(np.array([2, 0, 2, 2]), np.array([5, 1, 3, 5]), 4, 6)
    assert lists.starts.tolist() == [0, 1, 1, 3, 3] and lists.items.tolist() == [1, 3, 5]
    rows, items = lists.of(np.array([2, 1, 0, 2]))
    assert rows.tolist() == [0, 0, 2, 3, 3] and items.tolist() == [3, 5, 1, 3, 5]
    assert lists.items.dtype == np.int32


def test_a_checkpoint_without_vectors_says_why(tmp_path):
    path = tmp_path / "a.pth"
    sealed_file.write(path, {"weights": 1})
    with pytest.raises(UsageError, match="a.pth has nothing for serving: the run has not come to"):
        section.read(path)
    meta = {key: served.META[key] for key in ("recbole_dsl", "model", "dataset", "epoch")}
    section.append_none(path, meta, "EASE gives no vectors")
    with pytest.raises(UsageError, match="^[^\n]*a.pth: EASE gives no vectors$"):
        section.read(path)


@pytest.mark.slow
def test_every_flipped_bit_is_noticed(tmp_path):
    whole = served.write(tmp_path / "a.pth", served.section(items=5)).read_bytes()
    for at in range(0, len(whole), 53):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        (tmp_path / "b.pth").write_bytes(changed)
        with pytest.raises(UsageError, match="b.pth"):
            section.read(tmp_path / "b.pth")


def test_a_damaged_checkpoint_is_not_sealed_again(tmp_path):
    path = tmp_path / "a.pth"
    sealed_file.write(path, {"weights": 1})
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(UsageError, match="damaged"):
        section.append(path, served.section())
    assert path.read_bytes() == damaged and len(list(tmp_path.iterdir())) == 1


def _made_up(original, path, name, change, compression=zipfile.ZIP_STORED):
    """The checkpoint with another entry of the section, and the right digest."""
    with zipfile.ZipFile(original) as archive, zipfile.ZipFile(path, "w") as other:
        for info in archive.infolist():
            data = archive.read(info)
            if info.filename.endswith(f"/serving/{name}"):
                data = change(data)
                if data is None:
                    continue
            other.writestr(zipfile.ZipInfo(info.filename), data, compression)
    seal.seal(path)


def _array(change):
    """A change of a .npy file by way of its array."""

    def of_bytes(data):
        array = np.lib.format.read_array(io.BytesIO(data))
        out = io.BytesIO()
        np.lib.format.write_array(out, change(array), version=(1, 0))
        return out.getvalue()

    return of_bytes


def _with(at, value):
    def change(array):
        array = array.copy()
        array.reshape(-1)[at] = value
        return array

    return _array(change)


def _meta(**entries):
    return lambda data: json.dumps({**json.loads(data), **entries}).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("user_vectors.npy", _with(0, np.nan)),
        ("item_vectors.npy", _with(-1, np.inf)),
        ("item_vectors.npy", _array(lambda a: a[1:])),
        ("item_vectors.npy", _array(lambda a: a[:, 1:])),
        ("item_vectors.npy", _array(lambda a: a.astype(np.float64))),
        ("item_vectors.npy", _array(lambda a: a.astype(np.int32))),
        ("item_vectors.npy", _array(np.asfortranarray)),
        ("item_vectors.npy", lambda data: data[:-1]),
        ("item_vectors.npy", lambda data: data + b"x"),
        ("item_vectors.npy", lambda data: b"x"),
        ("item_vectors.npy", lambda data: None),
        ("item_ids.ends.npy", _with(0, -1)),
        ("item_ids.ends.npy", _with(-1, 10**9)),
        ("item_ids.ends.npy", _with(3, 0)),
        ("item_ids.utf8.npy", _with(0, 0xFF)),
        ("user_ids.utf8.npy", lambda data: data[:-12] + b"u0u0u0u0u0u0"),
        ("seen_0.items.npy", _with(0, 30)),
        ("seen_0.items.npy", _with(0, -1)),
        ("seen_0.starts.npy", _with(1, 10**6)),
        ("seen_0.starts.npy", _with(0, 1)),
        ("seen_2.starts.npy", lambda data: None),
        ("meta.json", lambda data: b"{"),
        ("meta.json", lambda data: b"[]"),
        ("meta.json", lambda data: None),
        ("meta.json", _meta(score="evil")),
        ("meta.json", _meta(score=None)),
        ("meta.json", _meta(parts=["train", "valid", "test", "more"])),
        ("meta.json", _meta(parts=[1, 2, 3])),
        ("meta.json", _meta(more=1)),
        ("meta.json", _meta(model=3)),
    ],
)
def test_a_made_up_section_with_the_right_digest_is_refused_in_one_line(tmp_path, name, change):
    original = served.write(tmp_path / "a.pth", served.section())
    _made_up(original, tmp_path / "b.pth", "none", None)
    _equal(section.read(tmp_path / "b.pth"), served.section())
    _made_up(original, tmp_path / "c.pth", name, change)
    with pytest.raises(UsageError, match="c.pth: its section for serving is not") as error:
        section.read(tmp_path / "c.pth")
    assert "\n" not in str(error.value)


def test_a_compressed_section_is_refused_before_it_is_unpacked(tmp_path):
    original = served.write(tmp_path / "a.pth", served.section())
    _made_up(original, tmp_path / "b.pth", "", None, zipfile.ZIP_DEFLATED)
    with pytest.raises(UsageError, match="b.pth: its section for serving is not"):
        section.read(tmp_path / "b.pth")


def test_a_section_that_cannot_be_written_leaves_the_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "a.pth"
    sealed_file.write(path, {"weights": 1})
    before = path.read_bytes()

    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        section.append(path, served.section())
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
