"""One, two and more processes on the cores of one machine: seconds of an epoch, and NDCG.

    python tests/performance/processes.py --data=dataset --dataset=amazon2014-electronic

Each run is a command of its own, ``run_recbole_dsl.py`` with the settings of
properties/presets/ir_benchmark.yaml, on the CPU, for a fixed number of epochs: one process with one
thread, one with a thread per core, and one process per core with one thread each. The runs are made
in turn. Seconds are the least that an epoch took, evaluation and start-up left out; the bytes that
processes exchange in a step are counted. Writes docs/results/processes.md. About 5 minutes on two
free cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import RESULTS, copy_rate, machine, markdown_table, write_page

from recbole_dsl.common.machine import usable_cores

ROOT = Path(__file__).parent.parent.parent
PRESET = ROOT / "properties" / "presets" / "ir_benchmark.yaml"
MODELS = ("MF_SL", "LightGCN_DSL")


def run(model, nproc, threads, options):
    """The result of one run, as its result file has it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, str(ROOT / "run_recbole_dsl.py"), f"--model={model}",
            f"--dataset={options.dataset}", f"--data_path={Path(options.data).resolve()}",
            f"--config_files={PRESET}", f"--epochs={options.epochs}", "--device=cpu",
            f"--eval_step={options.epochs}", f"--nproc={nproc}", "--result_file=result.json",
            "--state=ERROR",
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, check=True, cwd=folder, env=environment)
        return json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))


def exchanged_mb(result):
    """Gradients of a step in MiB: both embedding tables, in float32."""
    train = result["settings"]
    rows = result["splits"]["train"]["users"] + result["splits"]["train"]["items"]
    return rows * train["embedding_size"]["value"] * 4 / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="dataset", help="folder of the dataset's folder")
    parser.add_argument("--dataset", default="amazon2014-electronic")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    cores = usable_cores()
    ways = [(1, 1), (1, cores), (cores, 1)]
    rate = copy_rate()
    rows = []
    for model in MODELS:
        results = [run(model, *way, options) for way in ways]
        least = [min(epoch["train_seconds"] for epoch in r["epochs"]) for r in results]
        for (nproc, threads), seconds, result in zip(ways, least, results, strict=True):
            sent = exchanged_mb(result) if nproc > 1 else 0
            rows.append(
                [
                    model,
                    nproc,
                    threads,
                    f"{seconds:.1f}",
                    f"{least[0] / seconds:.2f}",
                    f"{nproc * threads}.00",
                    f"{sent:.1f}",
                    # Sent and received once by each process, read and written: four passes.
                    f"{4e3 * sent * 2**20 / rate:.1f}",
                    f"{result['peak_memory_mb']:.0f}",
                    f"{result['test']['ndcg@20']:.4f}",
                ]
            )
            print(*rows[-1], flush=True)
    head = [
        "model", "processes", "threads each", "s an epoch", "times as fast", "at most",
        "MiB exchanged a step", "floor of that, ms", "peak MiB of a process", "test NDCG@20",
    ]  # fmt: skip
    lines = [
        machine(),
        "",
        f"{options.dataset}, {options.epochs} epochs, 1,024 positives a step in all.",
        "",
        *markdown_table(head, rows),
    ]
    write_page(RESULTS / "processes.md", "table", lines)


if __name__ == "__main__":
    main()
