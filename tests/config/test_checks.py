import pytest
from configs import config_of

from recbole_dsl.common.errors import UsageError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train_batchsize=5"],
            "unknown setting 'train_batchsize' .*; did you mean train_batch_size?",
        ),
        (
            ["n_layers=2"],
            r"n_layers is not a setting of MF_SL, but of LightGCN\+\+_\*, LightGCN_\*",
        ),
        (["tau=x"], "tau must be a number > 0, got 'x'"),
        (["tau=0"], "tau must be a number > 0, got 0"),
        (["score=cos"], "score must be cosine or dot, got 'cos'"),
        (["benchmark_valid=1"], r"benchmark_valid must be a number in \[0, 1\), got 1"),
        (["train_neg_sample_args={block: 0}"], "block of train_neg_sample_args must be an integer"),
        (["epochs=1.5"], "epochs must be an integer >= 0, got 1.5"),
        (["metrics=[Recal]"], "unknown metric 'Recal'; did you mean recall?"),
        (
            ["topk=0"],
            r"topk must be an integer >= 1, a list \(each an integer >= 1\) or numbers .*, got 0",
        ),
        (["topk=a"], "topk must be .* or numbers such as 5,10, got 'a'"),
        (["valid_metric=NDCG@20"], r"valid_metric 'NDCG@20' is not among .* NDCG@10.*did you mean"),
        (["valid_metric=GAUC"], "valid_metric 'GAUC' is not among"),
        (["learner=adamm"], "learner must be adam, adamw, .* got 'adamm'; did you mean adam"),
        (["train_neg_sample_args={num: 3}"], "train_neg_sample_args has no key 'num'"),
        (
            ["train_neg_sample_args={sample_num: 0}"],
            "sample_num of train_neg_sample_args must be an integer >= 1 or all, got 0",
        ),
        (
            ["train_neg_sample_args={sample_num: every}"],
            "sample_num of train_neg_sample_args must be an integer >= 1 or all, got 'every'",
        ),
        (["train_neg_sample_args={block: all}"], "block .* must be an integer >= 1, got 'all'"),
        (
            ["train_neg_sample_args={sample_num: all, block: 8}"],
            "sample_num: all takes every item and draws none: block must be 1, got 8",
        ),
        (
            ["train_neg_sample_args={sample_num: all, distribution: popularity}"],
            "sample_num: all takes .* distribution must be uniform, got popularity",
        ),
        (
            ["train_neg_sample_args={sample_num: all}", "train_noise={false_negative: 1}"],
            "false_negative 1: it needs a number for sample_num in train_neg_sample_args, got all",
        ),
        (
            ["train_neg_sample_args=None"],
            "train_neg_sample_args must be a map {key: value}, got None",
        ),
        (["train_neg_sample_args={dynamic: True}"], "dynamic sampling is RecBole's"),
        (["train_neg_sample_args={alpha: x}"], "alpha of train_neg_sample_args must be a number"),
        (["device=cuda:99"], "device 'cuda:99' is not there"),
        (["device=gpu"], "device must be auto, cpu or cuda:N, got 'gpu'"),
        (["gpu_id=x"], "gpu_id must be ids like 0 or 0,1"),
        (["eval_args={mode: every}"], "every"),
        (["eval_args={splt: {RS: [8, 1, 1]}}"], "eval_args has no key 'splt' .*did you mean split"),
        (["eval_args=full"], "eval_args must be a map .key: value., got 'full'"),
        (["loss=DSL"], "loss 'DSL' contradicts the model name MF_SL"),
        (
            ["mask_at_test=trian"],
            "mask_at_test must be train_valid or train, .* did you mean train",
        ),
        (["mask_at_test=train", "eval_args={mode: uni100}"], "mode full at test, got 'uni100'"),
        (["mask_at_test=train", "repeatable=True"], "nothing is masked where a user may meet"),
        (["test_score=cos"], "test_score must be cosine, dot or empty, got 'cos'"),
        (["train_noise={positive: 1}"], "train_noise has no key 'positive' .*did you mean false_p"),
        (["train_noise={false_positive: -1}"], "false_positive of train_noise .* >= 0, got -1"),
        (["train_noise={false_negative: .inf}"], "false_negative of train_noise must be a number"),
        (
            ["train_noise={false_negative: 1}", "train_neg_sample_args={block: 2}"],
            "false_negative 1: it needs train_neg_sample_args: {block: 1}, got 2",
        ),
        (["seed=1", "seed=2"], "--seed is given twice: '1' and '2'"),
    ],
)
def test_bad_settings_get_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        config_of("MF_SL", *arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["BPR", "SimpleX", "Pop"])
def test_all_items_as_negatives_are_not_for_recboles_models(model):
    with pytest.raises(UsageError, match=f"{model}: sample_num: all .* is for <Back") as caught:
        config_of(model, "train_neg_sample_args={sample_num: all}")
    assert "\n" not in str(caught.value)


def test_topk_and_metrics_take_one_or_many():
    config = config_of("MF_SL", "topk=5,10", "metrics=Recall, NDCG", "valid_metric=ndcg@5")
    assert config["topk"] == [5, 10] and config["metrics"] == ["Recall", "NDCG"]
    assert config_of("MF_SL", "topk=20", "valid_metric=MRR@20")["topk"] == [20]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nproc": 0}, "nproc must be an integer >= 1, got 0"),
        ({"nproc": "two"}, "nproc must be an integer >= 1, got 'two'"),
        ({"nproc": 2, "world_size": 1}, "world_size must be -1 or at least nproc = 2, got 1"),
        ({"nproc": 2, "group_offset": 1}, "group_offset 1 and nproc 2 go beyond the run's 2"),
        ({"nproc": 2, "world_size": 4}, "means several machines, which have to be told"),
        ({"port": 70000}, r"port must be an integer in \[1, 65535\] or empty, got 70000"),
        ({"nproc": 2, "train_batch_size": 1}, "train_batch_size must be at least the number of"),
    ],
)
def test_settings_of_processes_are_checked(settings, message):
    with pytest.raises(UsageError, match=message):
        config_of("MF_SL", **settings)
