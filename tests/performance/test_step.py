"""step.py: its steps of a made model, which no other test takes."""

import pytest
import step


@pytest.mark.parametrize("negatives", [1, step.B, "all"])
@pytest.mark.parametrize("loss", ["SL", "DSL"])
def test_a_step_of_a_made_model_moves_its_tables(loss, negatives):
    made = step.Synthetic(40, step.M + 200, loss=loss, negatives=negatives, batch=16)
    before = made.backbone.item_embedding.weight.detach().clone()
    made()
    assert not before.equal(made.backbone.item_embedding.weight.detach())


def test_a_step_with_row_sparse_gradients_moves_the_rows_of_its_batch():
    made = step.Synthetic(40, step.M + 200, loss="SL", negatives=step.B, batch=16, sparse=True)
    before = made.backbone.user_embedding.weight.detach().clone()
    made()
    changed = (before != made.backbone.user_embedding.weight.detach()).any(dim=1)
    assert 0 < int(changed.sum()) <= 16
