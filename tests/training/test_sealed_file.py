"""Files that show whether a single bit of them has changed."""

import io
import os

import pytest
import torch

from recbole_dsl.common import seal
from recbole_dsl.common.errors import UsageError
from recbole_dsl.training import sealed_file


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.pth"
    sealed_file.write(path, {"weights": torch.arange(6.0), "plain": [1, "a", None, (2.5, True)]})
    return path


def test_what_is_written_is_read_again_by_us_and_by_torch(file):
    for content in (
        sealed_file.read(file),
        sealed_file.read(io.BytesIO(file.read_bytes()), name="a"),
        torch.load(file, weights_only=True),
    ):
        assert torch.equal(content["weights"], torch.arange(6.0))
        assert content["plain"] == [1, "a", None, (2.5, True)]
    assert os.listdir(file.parent) == ["a.pth"]


def test_every_flipped_bit_is_noticed(file):
    whole = file.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        with pytest.raises(UsageError) as error:
            sealed_file.read(io.BytesIO(bytes(changed)), name="a.pth")
        assert "\n" not in str(error.value) and "weights_only" not in str(error.value)


def test_every_truncated_or_longer_file_is_noticed(file):
    whole = file.read_bytes()
    for changed in (*(whole[:size] for size in range(0, len(whole), 7)), whole + b"\0", b""):
        with pytest.raises(UsageError, match=r"^a.pth "):
            sealed_file.read(io.BytesIO(changed), name="a.pth")


def test_another_format_is_named(file):
    file.write_bytes(file.read_bytes().replace(b"format 0001", b"format 0009"))
    with pytest.raises(UsageError, match="a.pth has format 9; this version of recbole_dsl reads 1"):
        sealed_file.read(file)


def test_a_file_without_a_digest_is_refused_in_words_of_ours(tmp_path):
    torch.save({"a": 1}, tmp_path / "old.pth")
    with pytest.raises(UsageError, match="old.pth .* carries no digest"):
        sealed_file.read(tmp_path / "old.pth")


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def test_code_is_not_run_even_where_the_digest_is_right(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"a": _Evil()}, path)
    seal.seal(path)
    with pytest.raises(UsageError, match="holds something else than tensors and plain") as error:
        sealed_file.read(path)
    assert "weights_only" not in str(error.value)
    assert not (tmp_path / "evil").exists()


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "fifo")  # opening it would wait for ever
    for name in ("fifo", "."):
        with pytest.raises(UsageError, match="is no file"):
            sealed_file.read(tmp_path / name)
    with pytest.raises(UsageError, match="no checkpoint .*none"):
        sealed_file.read(tmp_path / "none")


def test_a_write_that_torch_cannot_finish_leaves_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def fail(content, temporary):
        temporary.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:668] . unexpected pos\nmore")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RuntimeError, match="enforce fail"):
        sealed_file.write(file, {})
    assert file.read_bytes() == before and os.listdir(file.parent) == ["a.pth"]
