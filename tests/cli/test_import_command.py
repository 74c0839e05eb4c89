"""``recbole_dsl import`` from end to end: what it writes, a run reads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from quick import QUICK, ROOT

from recbole_dsl.__main__ import main


@pytest.mark.slow
def test_an_imported_split_is_trained_and_tested(own_folder, capsys):
    rows = [f"u{user};i{item};5" for user in range(20) for item in range(20) if (user + item) % 2]
    Path("train.csv").write_text("who;what;rating\n" + "\n".join(rows) + "\n")
    Path("test.csv").write_text("who;what;rating\nu0;i0;5\nu1;i1;4\n")
    words = ["--dataset=shop", "--user=who", "--item=what", "--sep=;", "--rating=None"]
    assert main(["import", "--train=train.csv", "--test=test.csv", *words]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "columns: user = who, item = what"
    assert out[-1].endswith("; benchmark_filename: [train, test]")
    assert Path("dataset/shop/shop.test.inter").read_text().split() == (
        ["user_id:token", "item_id:token", "u0", "i0", "u1", "i1"]
    )
    settings = [f"--{key}={value}" for key, value in QUICK.items()]
    asked = ["--model=Pop", "--dataset=shop"]
    assert main(["run", *asked, *settings, "--result_file=r.json"]) == 0
    splits = json.loads(Path("r.json").read_text())["splits"]
    assert splits["test"]["rows"] == 2


def test_the_importer_loads_neither_recbole_nor_torch_nor_pandas(own_folder):
    Path("r.csv").write_text("user,item\na,b\n")
    code = (
        "import sys; from recbole_dsl.__main__ import main; "
        "assert main(['import', 'r.csv', '--dataset=mine']) == 0; assert 'numpy' in sys.modules; "
        "sys.exit(str({'recbole', 'torch', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.stderr == "set()\n" and Path("dataset/mine/mine.inter").is_file()
