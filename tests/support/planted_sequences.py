"""A data set of sequences in which the next item is the previous one plus 1."""

import numpy as np

ITEMS = 12
QUICK = {
    "epochs": 12,
    "state": "ERROR",
    "embedding_size": 16,
    "hidden_size": 16,
    "inner_size": 32,
    "train_batch_size": 64,
    "eval_batch_size": 64,
    "learning_rate": 0.02,
    "topk": [1],
    "metrics": ["Recall"],
    "valid_metric": "Recall@1",
    "MAX_ITEM_LIST_LENGTH": 5,
    "user_inter_num_interval": None,
    "item_inter_num_interval": None,
    "group_metrics": None,
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
}


def write_sequences(folder, name="ring", users=60, length=9, items=ITEMS, seed=0):
    """dataset/<name>: users go round a ring of items, one further with each row."""
    home = folder / "dataset" / name
    home.mkdir(parents=True)
    starts = np.random.default_rng(seed).integers(0, items, users)
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    for user, start in enumerate(starts):
        for step in range(length):
            lines.append(f"u{user}\ti{(start + step) % items}\t{step}")
    (home / f"{name}.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")
    kinds = [f"i{item}\t{'odd' if item % 2 else 'even'}" for item in range(items)]
    text = "item_id:token\tclass:token_seq\n" + "\n".join(kinds) + "\n"
    (home / f"{name}.item").write_text(text, encoding="utf-8")
    return name


def with_item_classes(settings):
    """The same settings with the columns that models of item features read."""
    columns = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]}
    return {**settings, "load_col": columns}
