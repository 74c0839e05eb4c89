"""A model on two test sets of one training set, i.i.d. and shifted, by item popularity.

python examples/shifted_test.py
"""

import recbole_dsl

SETTINGS = {
    "epochs": 5,
    "train_neg_sample_args": {"sample_num": 100},
    "eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}},
    "test_sets": ["iid", "popularity"],
    "group_metrics": {"item_popularity": {"head": 1, "mid": 1, "tail": 1}},
}


def main():
    for model in ("MF_SL", "MF_BPR"):
        result = recbole_dsl.run(model, "ml-100k", config_dict=SETTINGS, saved=False)
        for name, metrics in result["tests"].items():
            # The groups' parts of the overall NDCG.
            values = result["groups"]["item_popularity"]["metrics"][name]["ndcg@10"]
            parts = " + ".join(f"{group} {value:.4f}" for group, value in values.items())
            print(f"{model:<7} {name:<11} NDCG@10 {metrics['ndcg@10']:.4f} = {parts}")


if __name__ == "__main__":
    main()
