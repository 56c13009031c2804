"""What once went wrong, or easily would."""

import threading

import nn_dropout
import nn_dropout.torch as nd
import numpy as np
import pytest
import torch
from nn_dropout.torch import functional as F
from torch import nn


def test_forward_mode_in_a_compiled_graph():
    def tangent(x):
        return torch.func.jvp(F.dropout, (x,), (torch.ones_like(x),))

    y, dy = torch.compile(tangent, backend="aot_eager")(torch.ones(50))
    assert set(y.tolist()) == {0.0, 2.0} and torch.equal(y, dy)


@pytest.mark.parametrize("randomness", ["different", "same"])
def test_samples_in_a_compiled_graph(randomness):
    f = lambda x: torch.vmap(F.dropout, randomness=randomness)(x)
    masks = torch.compile(f, backend="aot_eager")(torch.ones(20, 60)).unique(dim=0)
    assert len(masks) == (20 if randomness == "different" else 1)


def test_transformed_functions_have_the_masks_of_plain_ones():
    x = torch.ones(40)
    for seed in range(20):
        torch.manual_seed(seed)
        expected = F.dropout(x)
        torch.manual_seed(seed)
        assert torch.equal(torch.func.grad(lambda x: F.dropout(x).sum())(x), expected)
        torch.manual_seed(seed)
        assert torch.equal(torch.vmap(F.dropout, randomness="same")(x[None])[0], expected)


def test_predictions_of_pytorchs_transformers():
    layer = nd.replace(nn.TransformerEncoderLayer(8, 2, dropout=0.5, batch_first=True))
    assert nd.monte_carlo(layer, torch.randn(4, 5, 8), 8).std.sum() > 0
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_wrong_option_leaves_the_right_one_alone():
    with pytest.raises(ValueError):
        nd.DropPath(0.1, scale_by_keep=1)
    nd.DropPath(0.1, scale_by_keep=True)
    with pytest.raises(ValueError):
        nd.DropBlock2d(0.1, 3.0)


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
def test_threads_share_a_recurrent_layer(layer):
    dropped, x = nd.WeightDrop(layer(4, 8), 0.5), torch.randn(5, 2, 4)
    expected = dropped.eval()(x)[0]
    dropped.train()
    threads = [threading.Thread(target=lambda: [dropped(x) for _ in range(60)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(dropped.eval()(x)[0], expected)
    assert dropped.module._flat_weights[1] is dropped.module.weight_hh_l0


def test_states_of_one_row():
    state = F.zoneout(torch.full((40, 6), 1.0), torch.full((1, 6), 3.0))
    assert set(state.unique().tolist()) == {1.0, 3.0}
    with pytest.raises(ValueError, match="dropout probability"):
        F.zoneout(torch.ones(3), torch.zeros(3), 1.5, training=False)


def test_contexts_that_overlap():
    theirs, first, second = nn.functional.dropout, nd.patch(), nd.patch(rng="torch")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert nn.functional.dropout is not theirs
    second.__exit__(None, None, None)
    assert nn.functional.dropout is theirs


def test_a_gradient_of_another_shape():
    y = F.dropout(torch.ones(100, 3, requires_grad=True))
    with pytest.raises(ValueError, match="a draw for a tensor of shape"):
        y.grad_fn.apply(torch.ones(1))


@pytest.mark.parametrize(
    "tensors,options",
    [
        ([(2, 1, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8)], {"enable_gqa": True}),
        ([(2, 4, 8), (2, 5, 8), (2, 5, 8)], {"attn_mask": torch.ones(4, 5, dtype=torch.int64)}),
        ([(8,), (8,), (8,)], {}),
    ],
)
def test_attention_refuses_what_pytorch_does(tensors, options):
    tensors = [torch.ones(shape) for shape in tensors]
    with pytest.raises(RuntimeError) as theirs:
        nn.functional.scaled_dot_product_attention(*tensors, dropout_p=0.1, **options)
    with pytest.raises(RuntimeError) as ours:
        F.scaled_dot_product_attention(*tensors, dropout_p=0.1, **options)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("batch,length,others", [(0, 4, 5), (2, 0, 5), (2, 4, 0)])
def test_empty_attention(batch, length, others):
    shapes = (batch, 3, length, 8), (batch, 3, others, 8), (batch, 3, others, 6)
    tensors = [torch.ones(shape, requires_grad=True) for shape in shapes]
    output = F.scaled_dot_product_attention(*tensors, dropout_p=0.1)
    assert output.shape == (batch, 3, length, 6)
    output.sum().backward()


def test_attention_in_autocast_has_the_type_of_pytorchs():
    x = torch.ones(2, 3, 4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        for p in (0.0, 0.5):
            assert F.scaled_dot_product_attention(x, x, x, dropout_p=p).dtype == torch.bfloat16


@pytest.mark.parametrize("function", [F.dropout, lambda x, **o: F.scaled_dot_product_attention(x, x, x, **o)])
def test_a_generator_that_is_not_there(function):
    with pytest.raises(ValueError, match="rng has to be"):
        function(torch.ones(2, 3), rng="Torch")


def test_inference_tensors_are_not_overwritten():
    with torch.inference_mode():
        x = torch.ones(500)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        F.dropout(x, inplace=True)
    assert torch.equal(x, torch.ones(500))


def test_a_low_memory_budget_without_gradients():
    with torch._functorch.config.patch(activation_memory_budget=0.5), torch.no_grad():
        y = torch.compile(lambda x: F.dropout(x), backend="aot_eager")(torch.ones(50))
    assert set(y.tolist()) == {0.0, 2.0}


def test_other_default_devices():
    with torch.device("meta"):
        nd.LayerDrop(nn.Identity(), 0.5)(torch.ones(3))
        nd.monte_carlo(nd.Dropout(0.5), torch.ones(3, 4, device="cpu"), 2)


def test_looking_for_the_unreached_leaves_a_model_as_it_was():
    model = nd.replace(nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5)), rng="torch")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert nd.unreached(model, torch.randn(8, 3)) == []
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"embedding has to be a torch\.nn\.Embedding"):
        nd.EmbeddingDropout(nn.EmbeddingBag(3, 4))
    with pytest.raises(ValueError, match="names has to be among .* but got 'wait'"):
        nd.WeightDrop(nn.Linear(2, 2), 0.5, "wait")
    with pytest.raises(ValueError, match="axis has to be 0 or more"):
        nd.LockedDropout(0.5, axis=-1)
    with pytest.raises(ValueError, match="no dropout of this package"):
        nd.Scheduler(nn.Linear(2, 2), "linear", steps=3)
    with pytest.raises(TypeError, match="a function takes no options"):
        nd.Scheduler(nd.Dropout(), lambda step: 1.0, steps=3)
    with pytest.raises(ValueError, match="dropout probability"):
        F.drop_path(torch.ones(2, 2), 7.0, training=False)
    with pytest.raises(TypeError, match="transform has to make a tensor of the output, a tuple"):
        nd.monte_carlo(nd.WeightDrop(nn.LSTM(2, 2), 0.5), torch.ones(3, 2), 2)
    repeated = np.lib.stride_tricks.as_strided(np.ones(4), (4, 4), (0, 8))
    with pytest.raises(ValueError, match="each element in memory of its own"):
        nn_dropout.dropout(np.ones((4, 4)), 0.5, seed=1, out=repeated)
    with pytest.raises(TypeError, match="out has to be an array, but got list"):
        nn_dropout.dropout(np.ones(4), 0.5, seed=1, out=[1.0])
