import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.benchmark import plan
from recbole_dsl.experiments.benchmark.entries import Entry, choose_reference, entries

SIZE = {"sample_num": 5}
LABELS = {"load_col": {"inter": ["user_id", "item_id", "rating"]}, "threshold": {"rating": 3}}


def _entries(*names):
    return [Entry(name, name, {}, ()) for name in names]


def _keys(made):
    return [run.key for run in made.runs]


def test_a_models_file_gives_labels_settings_and_files(own_folder):
    (own_folder / "models.yaml").write_text(
        "MF_SL:\n  tau: 0.15\nBPR:\nDSL shielded:\n  model: MF_DSL\n  beta: -3\n"
        "  config_files: [a.yaml]\n"
    )
    found = entries(None, "models.yaml")
    assert found == [
        Entry("MF_SL", "MF_SL", {"tau": 0.15}, ()),
        Entry("BPR", "BPR", {}, ()),
        Entry("DSL shielded", "MF_DSL", {"beta": -3}, ("a.yaml",)),
    ]
    some = entries(["EASE", "DSL shielded"], "models.yaml")
    assert [entry.model for entry in some] == ["EASE", "MF_DSL"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: 3\n", "A must hold lines of `key: value`, got 3"),
        ("A: {seed: 3}\n", "A: seed is for all models"),
        ("A: {config_files: 3}\n", "config_files of A must be a list of paths, got 3"),
        ("", "names no model"),
    ],
)
def test_a_wrong_models_file_is_refused(text, message, own_folder):
    (own_folder / "models.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        entries(None, "models.yaml")


def test_the_reference_is_the_first_or_the_one_named():
    assert choose_reference(["A", "B"], None) == "A"
    assert choose_reference(["A", "B"], "B") == "B"
    with pytest.raises(UsageError, match="did you mean MF_SL?"):
        choose_reference(["MF_SL", "BPR"], "MF_SLL")


def test_runs_come_seed_by_seed_with_their_settings_and_one_split(tiny):
    shared = {"tau": 0.3, "epochs": 2, "train_neg_sample_args": SIZE}
    models = [*_entries("MF_SL"), Entry("EASE", "EASE", {"reg_weight": 9.0}, ())]
    made = plan.make(models, ["tiny"], [4, 0], shared=shared)
    assert [(r.label, r.seed) for r in made.runs] == [
        ("MF_SL", 4), ("EASE", 4), ("MF_SL", 0), ("EASE", 0),
    ]  # fmt: skip
    assert "--tau=0.3" in made.runs[0].arguments and "--split_seed=2020" in made.runs[0].arguments
    assert '--train_neg_sample_args={"sample_num": 5}' in made.runs[0].arguments
    assert "--reg_weight=9.0" in made.runs[1].arguments
    assert not any(word.startswith("--tau") for word in made.runs[1].arguments)
    assert made.notes[0] == "tau is no setting of EASE, which run without it"
    assert made.protocol["tiny"]["split_seed"] == 2020
    assert len(set(_keys(made))) == 4


def test_the_command_line_wins_over_the_models_own_settings(tiny):
    model = Entry("MF_SL", "MF_SL", {"tau": 0.1, "train_neg_sample_args": {"block": 2}}, ())
    shared = {"tau": 0.3, "train_neg_sample_args": SIZE}
    arguments = plan.make([model], ["tiny"], [0], shared=shared).runs[0].arguments
    assert "--tau=0.3" in arguments and "--tau=0.1" not in arguments
    assert '--train_neg_sample_args={"block": 2, "sample_num": 5}' in arguments


def test_a_split_seed_that_is_given_is_kept(tiny):
    for given, said in ((7, "--split_seed=7"), (None, "--split_seed=None")):
        made = plan.make(_entries("Pop"), ["tiny"], [0], shared={"split_seed": given})
        assert said in made.runs[0].arguments
        assert made.protocol["tiny"]["split_seed"] == given


def test_a_key_changes_with_all_that_decides_a_result_and_with_nothing_else(tiny, own_folder):
    def key(label="MF_SL", seed=0, **shared):
        entry = Entry(label, "MF_SL", {}, ())
        return _keys(plan.make([entry], ["tiny"], [seed], shared=shared))[0]

    first = key()
    assert first == key() == key(show_progress=False) == key(cache_dir="elsewhere")
    changed = [key("other"), key(seed=1), key(tau=0.7), key(split_seed=1)]
    file = own_folder / "dataset" / "tiny" / "tiny.inter"
    file.write_text(file.read_text() + "u1\ti59\n")
    changed.append(key())
    assert len({first, *changed}) == 6


def test_a_model_of_recboles_with_a_loss_has_a_key(tiny):
    for model in ("recbole.LightGCN_SL", "NCL_SL"):
        keys = [_keys(plan.make(_entries(model), ["tiny"], [seed], shared={})) for seed in (0, 1)]
        assert len({*keys[0], *keys[1]}) == 2


@pytest.mark.parametrize(
    ("models", "shared", "message"),
    [
        (["BPR", "LightGCN_DLS"], {}, "did you mean LightGCN_DSL?"),
        (["BPR", "MF_SL"], {"train_batchsize": 3}, "did you mean train_batch_size?"),
        (["BPR", "EASE"], {"tau": 0.1}, "--tau: none of BPR, EASE has a setting of that name"),
        (["BPR", "MF_SL"], {"tau": 0}, "MF_SL: tau must be a number > 0, got 0"),
        (["BPR", "FM"], LABELS, "FM and BPR differ in eval_args on tiny"),
    ],
)
def test_everything_is_checked_before_anything_runs(models, shared, message, tiny, own_folder):
    with pytest.raises(UsageError) as caught:
        plan.make(_entries(*models), ["tiny"], [0], shared=shared)
    assert message in str(caught.value)
    assert not (own_folder / "saved").exists()


def test_models_have_one_protocol(tiny):
    other = Entry("EASE", "EASE", {"eval_args": {"order": "TO", "split": {"RS": [8, 1, 1]}}}, ())
    with pytest.raises(UsageError, match="EASE and BPR differ in eval_args on tiny"):
        plan.make([*_entries("BPR"), other], ["tiny"], [0])


def test_a_setting_of_one_model_that_it_does_not_have_is_refused(tiny):
    with pytest.raises(UsageError, match="tau is not a setting of BPR"):
        plan.make([Entry("BPR", "BPR", {"tau": 0.1}, ())], ["tiny"], [0])


def test_values_by_user_are_kept_where_there_are_any_and_not_refused(tiny):
    made = plan.make(_entries("Pop"), ["tiny"], [0])
    assert "--user_metrics=true" in made.runs[0].arguments
    sampled = {"eval_args": {"mode": "uni5"}}
    made = plan.make(_entries("Pop"), ["tiny"], [0], shared=sampled)
    assert "--user_metrics=false" in made.runs[0].arguments


def test_warnings_of_the_models_are_notes_of_the_report():
    shared = {"train_neg_sample_args": {"sample_num": 100}}
    [note] = plan.make(_entries("MF_SL", "BPR"), ["ml-100k"], [1], shared=shared).notes
    assert "{sample_num: 100} (command line, for all models) holds for BPR too" in note
