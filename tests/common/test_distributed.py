import pytest
import torch
from ranks import exchanges, facts_of, parameters

from recbole_dsl.common import distributed

pytestmark = pytest.mark.slow  # starts two, then three processes


@pytest.fixture(scope="module", params=[2, 3])
def facts(request, tmp_path_factory):
    return facts_of(exchanges, request.param, tmp_path_factory.mktemp("exchanges"))


def _mean(facts, name, ranks):
    grads = [parameters(rank)[name].grad.to_dense() for rank in ranks]
    return sum(grads) / len(facts)


def test_gradients_are_averaged_over_processes(facts):
    for fact in facts:
        for name in ("dense", "double", "sparse"):
            found = fact["first"][name].to_dense()
            torch.testing.assert_close(found, _mean(facts, name, range(len(facts))))


def test_a_gradient_of_some_processes_counts_as_zero_in_the_others(facts):
    last = len(facts) - 1
    for fact in facts:
        torch.testing.assert_close(fact["first"]["of_last"], _mean(facts, "of_last", [last]))
        found = fact["first"]["sparse_of_first"].to_dense()
        torch.testing.assert_close(found, _mean(facts, "sparse_of_first", [0]))


def test_a_gradient_that_no_process_has_stays_none(facts):
    for fact in facts:
        assert fact["first"]["of_none"] is None and fact["first"]["frozen"] is None
        assert fact["second"]["double"] is None and fact["second"]["sparse"] is None


def test_gradients_are_bitwise_equal_in_all_processes_and_sparse_ones_stay_sparse(facts):
    for name, grad in facts[0]["first"].items():
        assert grad is None or grad.is_sparse == name.startswith("sparse")
        for fact in facts[1:]:
            other = fact["first"][name]
            assert (grad is None) == (other is None)
            assert grad is None or torch.equal(grad.to_dense(), other.to_dense())


def test_the_buffer_is_used_again_for_other_gradients(facts):
    mean = (len(facts) - 1) / 2
    for fact in facts:
        torch.testing.assert_close(fact["second"]["dense"], torch.full((5, 3), mean))


def test_rows_are_gathered_in_order_of_rank_whatever_their_number(facts):
    expected = [[rank, rank] for rank in range(len(facts)) for _ in range(rank)]
    assert all(fact["rows"].tolist() == expected for fact in facts)


def test_a_collected_evaluation_is_put_together_also_where_a_process_had_no_user(facts):
    with_users = [rank for rank in range(len(facts)) if rank != 1]
    for fact in facts:
        struct = fact["struct"]
        expected = [[rank, rank] for rank in with_users for _ in range(rank + 1)]
        assert struct["rec.topk"].tolist() == expected and struct["rec.topk"].dtype == torch.int32
        assert struct["data.label"].tolist() == [r for r in with_users for _ in range(r + 2)]
        assert struct["data.num_items"] == 7 and struct["data.count"].tolist() == [1, 1]


def test_state_and_plain_data_come_from_the_main_process(facts):
    for fact in facts:
        assert fact["plain"] == {"from": 0} and fact["copied"].abs().sum() == 0
        assert fact["all"] == list(range(len(facts)))
        assert fact["summed"].tolist() == [sum(range(len(facts))), len(facts)]
        assert fact["backend"] == "gloo"


def test_parts_cover_everything_once_in_order(facts):
    for case, n in enumerate((0, 1, 7, 12)):
        parts = [fact["parts"][case] for fact in facts]
        assert [thing for part in parts for thing in part] == list(range(n))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_each_process_has_a_seed_of_its_own_and_a_share_of_the_threads(facts):
    assert len({fact["seed"] for fact in facts}) == len(facts) and facts[0]["seed"] == 2020
    assert all(fact["threads"] >= 1 for fact in facts)


def test_in_a_world_of_one_nothing_happens():
    tensor, grad = torch.ones(2), torch.full((2,), 3.0)
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = grad
    distributed.GradientAverage([parameter])()
    distributed.copy_from_main([tensor])
    distributed.add_up([tensor])
    distributed.barrier()
    assert parameter.grad is grad and tensor.tolist() == [1, 1]
    assert distributed.gather_rows(tensor) is tensor and list(distributed.own_part(3)) == [0, 1, 2]
    assert distributed.from_main(4) == 4 and distributed.from_all(4) == [4]
    assert distributed.world().main and distributed.own_seed(5) == 5
    assert distributed.backend(torch.device("cpu")) is None
