"""``recbole_dsl export``: vectors and ids of a trained model as plain files."""

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_count
from recbole_dsl.cli.recommend import checkpoint_of
from recbole_dsl.common.errors import UsageError, did_you_mean


def _work(given: Arguments) -> int:
    path, options = checkpoint_of(given), given.options
    if "output" not in options:
        raise UsageError("--output=FOLDER is missing")
    for name in ("ef", "k"):
        if name in given.given and "index" not in options:
            raise UsageError(f"--{name} is of an index, which --index asks for")
    from recbole_dsl.common.files import check_folder_writable
    from recbole_dsl.serving.export import INDEXES, export

    if (index := options.get("index")) not in (None, *INDEXES):
        near = did_you_mean(index, INDEXES)
        raise UsageError(f"--index must be {' or '.join(INDEXES)}, got {index!r}{near}")
    check_folder_writable(options["output"])
    output = options.pop("output")
    meta = export(path, output, **options)
    unit = ", of unit length" if meta["normalised"] else ""
    print(
        f"{meta['model']} on {meta['dataset']}: {meta['users']:,} users, {meta['items']:,} items, "
        f"{meta['dimensions']} dimensions, score {meta['score']}{unit}"
    )
    if meta["index"] is not None:
        found = meta["index"]["measured"]
        print(
            f"index: recall@{found['k']} {found['recall']:.4f} of exact search over "
            f"{found['queries']:,} users; {found['queries_per_second']:,.0f} queries a second on "
            f"one thread, exact search {found['exact_per_second']:,.0f}"
        )
    print(f"wrote {output}")
    return 0


COMMAND = Command(
    name="export",
    summary="write vectors and ids of a trained model, and an index of its items",
    usage=["CHECKPOINT --output=FOLDER [--OPTION=VALUE ...]"],
    about="""
    Writes what other programs need to recommend by a trained <Backbone>_<Loss>: user_vectors.npy
    and item_vectors.npy, whose inner products are the scores; user_ids.txt and item_ids.txt, an id
    a line in the same order; meta.json. The checkpoint alone is read.

    With --index=faiss (pip install "recbole_dsl[faiss]", a wheel) also items.faiss, Faiss's own
    file of an IndexHNSWFlat; with --index=hnswlib ("recbole_dsl[hnswlib]", which needs a C++
    compiler) items.hnsw, hnswlib's own, in the space "ip". How many of the best items it finds, and
    how fast, is measured for at most 1,000 users and printed; recbole_dsl recommend and serve
    search it with --index=FOLDER.
    """,
    options=[
        Option(
            "output",
            "the folder; files of these names in it are replaced, and an index of an earlier "
            "export is removed",
            "FOLDER",
        ),
        Option("index", "faiss or hnswlib (default: no index)", "NAME"),
        Option(
            "ef",
            "candidates that a search of the index keeps: more finds more and takes longer",
            "N",
            "200",
            read=as_count,
        ),
        Option("k", "items of a query, for the recall that is measured", "N", "20", read=as_count),
    ],
    examples=[
        "saved/MF_SL-ml-100k.pth --output=exported",
        "model.pth --output=exported --index=faiss --ef=400",
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
