"""From a CSV file of your own to recommendations for every user.

    python examples/own_data.py [ratings.csv]

The file has a column for users and one for items; ratings and times may be there too. Without a
file, the ratings of ml-100k, which RecBole brings, are written to ratings.csv first.
"""

import sys
from importlib import resources
from pathlib import Path

import recbole_dsl
from recbole_dsl.data.importer.convert import import_interactions


def write_ratings(path):
    """ml-100k as a shop would have it."""
    source = resources.files("recbole") / "dataset_example/ml-100k/ml-100k.inter"
    rows = source.read_text().splitlines()[1:]
    lines = ["customer_id,sku,stars,ts", *(row.replace("\t", ",") for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def main():
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "ratings.csv")
    if not path.exists():
        write_ratings(path)

    # RecBole's atomic files, dataset/my-shop/, and a YAML that says what they hold.
    import_interactions(path, dataset="my-shop", overwrite=True)

    settings = {"epochs": 5, "train_neg_sample_args": {"sample_num": 100}}
    result = recbole_dsl.run("MF_SL", "my-shop", config_dict=settings)
    print(result)

    # The checkpoint is all that it needs: no dataset, no RecBole.
    recommender = recbole_dsl.load_recommender(result["checkpoint"])
    table = recommender.recommend(k=20)  # all users; what they have seen is left out
    table.to_csv("recommendations.csv", index=False)
    print(f"recommendations.csv: {len(table):,} rows for {table['user'].nunique():,} users")

    # Somebody new, known by three items.
    items = list(recommender.items[:3])
    print(recommender.recommend_for_items(items, k=5))


if __name__ == "__main__":
    main()
