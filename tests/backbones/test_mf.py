import pytest

from recbole_dsl.backbones import MF


def test_the_embeddings_are_the_tables(toy):
    model = MF(*toy.data, embedding_size=4)
    user, item = model.embed()
    assert user.shape == (6, 4) and item.shape == (7, 4)
    assert user is model.user_embedding.weight and item is model.item_embedding.weight
    assert set(model.state_dict()) == {"user_embedding.weight", "item_embedding.weight"}
    assert model.paper and model.row_wise


@pytest.mark.parametrize("size", [0, 2.5, True])
def test_a_size_that_is_no_count_is_refused(toy, size):
    with pytest.raises(ValueError, match=f"embedding_size must be an integer >= 1, got {size}"):
        MF(*toy.data, embedding_size=size)
