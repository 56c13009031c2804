"""Models whose own dropout is replaced, by module and by function."""

import copy
import threading
from unittest import mock

import nn_dropout.torch as ours
import pytest
import torch
import torch.nn.functional as F
from nn_dropout.torch import _op, functional
from torch import nn
from torch.nn.functional import dropout as imported_by_name

NAMES = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"]
PLACES = [(F, name) for name in [*NAMES, "scaled_dot_product_attention"]]
PLACES += [(torch, name) for name in ("dropout", "dropout_", "alpha_dropout", "feature_alpha_dropout_")]
PLACES += [(torch._VF, name) for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")]


def functions():
    return [getattr(place, name) for place, name in PLACES]


# replace


def test_replaces_each_class(our, theirs):
    module = theirs(0.25, True).eval()
    assert ours.replace(module) is module
    assert type(module) is our and repr(module) == repr(theirs(0.25, True)) and not module.training
    nested = nn.ModuleDict({"a": nn.Sequential(nn.ModuleList([theirs(0.1)]))})
    assert type(ours.replace(nested)["a"][0][0]) is our


def test_shared_modules_and_hooks():
    drop = nn.Dropout(0.5)
    calls = []
    drop.register_forward_hook(lambda *_: calls.append("hook"))
    drop.note = "mine"
    model = ours.replace(nn.Sequential(drop, nn.Sequential(drop)))
    assert model[0] is model[1][0] is drop and type(drop) is ours.Dropout and drop.note == "mine"
    model(torch.ones(3))
    assert calls == ["hook"] * 2


def test_other_places_of_modules():
    class Parametrized(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            return self.drop(x)

    linear = nn.Linear(30, 30)
    nn.utils.parametrize.register_parametrization(linear, "weight", Parametrized())
    ours.replace(linear)
    assert type(linear.parametrizations.weight[0].drop) is ours.Dropout
    linear(torch.ones(30)).sum().backward()


def test_subclasses_stay(outcome):
    class Mine(nn.Dropout):
        pass

    model = nn.Sequential(Mine(), ours.Dropout(), nn.Identity())
    _, [(category, text)] = outcome(lambda: ours.replace(model))
    assert category is UserWarning
    assert text.startswith("0 stays as it is: ") and text.endswith("Mine is a subclass of torch.nn.Dropout")
    assert type(model[0]) is Mine and type(model[1]) is ours.Dropout
    _, [(_, text)] = outcome(lambda: ours.replace(Mine()))
    assert text.startswith("the model stays as it is: ")


def test_switches_the_generator():
    model = ours.replace(nn.Sequential(nn.Dropout(0.5)), rng="torch")
    assert model[0].rng == "torch"
    assert ours.replace(model, rng="torch")[0].rng == "torch"
    for rng in (None, "philox"):
        assert ours.replace(model, rng=rng)[0].rng is None
    with pytest.raises(ValueError, match="^rng has to be 'philox' or 'torch', but got 'jax'$"):
        ours.replace(model, rng="jax")
    state = ours.replace(nn.Sequential(nn.Linear(2, 2), nn.Dropout())).state_dict()
    assert list(state) == ["0.weight", "0.bias"]


# patch


def test_patch_and_back():
    before = functions()
    with ours.patch():
        inside = functions()
        assert all(a is not b for a, b in zip(before, inside))
        with ours.patch(rng="torch"):
            x = torch.rand(3000)
            torch.manual_seed(0)
            y = F.dropout(x, 0.3)
            torch.manual_seed(0)
            assert torch.equal(y, imported_by_name(x, 0.3))
        assert functions() == inside
        with pytest.raises(KeyError), ours.patch():
            raise KeyError
        assert functions() == inside
    assert functions() == before and "lstm" not in torch._VF.__dict__
    with pytest.raises(ValueError):
        ours.patch(rng="jax").__enter__()
    assert functions() == before


def test_patched_functions_are_ours(name, functions, shape):
    _, our = functions
    x = torch.rand(shape)
    torch.manual_seed(0)
    expected = our(x, 0.3, True)
    short = our.__name__
    with ours.patch():
        calls = [lambda: getattr(F, short)(x, 0.3, True), lambda: getattr(F, short)(x, p=0.3, training=True)]
        if hasattr(torch, short):
            calls.append(lambda: getattr(torch, short)(x, 0.3, True))
            calls.append(lambda: getattr(torch, short)(x, p=0.3, train=True))
            calls.append(lambda: getattr(torch, short + "_")(x.clone(), 0.3, True))
        for call in calls:
            torch.manual_seed(0)
            assert torch.equal(call(), expected)
        assert getattr(F, short)(x, 0.3, False) is x


def test_patch_holds_in_other_threads():
    x = torch.ones(1000)
    torch.manual_seed(0)
    expected = functional.dropout(x)
    found = []
    with ours.patch():
        torch.manual_seed(0)
        thread = threading.Thread(target=lambda: found.append(F.dropout(x)))
        thread.start()
        thread.join()
    assert torch.equal(found[0], expected)


def test_modules_of_pytorch_are_reached():
    x = torch.randn(10, 4, 16)
    models = [
        nn.TransformerEncoderLayer(16, 4, 32, 0.2),
        nn.TransformerDecoderLayer(16, 4, 32, 0.2),
        nn.LSTM(16, 16, 3, dropout=0.5, bidirectional=True),
        nn.GRU(16, 16, 2, dropout=0.5, batch_first=True),
    ]
    for model in models:
        args = (x, x) if isinstance(model, nn.TransformerDecoderLayer) else (x,)
        assert ours.unreached(ours.replace(model), *args) == []


# unreached


class Unreachable(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.inner.register_forward_hook(lambda module, args, output: imported_by_name(output, 0.5))

    def forward(self, x):
        x = torch.native_dropout(self.inner(x), 0.5, self.training)[0]
        return F.dropout(x, 0.5, self.training)


def test_unreached_finds_what_is_left():
    model = Unreachable().eval()
    x = torch.rand(3, 4)
    state, before = torch.get_rng_state(), functions()
    hooks = [dict(m._forward_pre_hooks) | dict(m._forward_hooks) for m in model.modules()]
    found = ours.unreached(model, x)
    assert len(found) == 2
    assert found[0].startswith("inner: aten.bernoulli_.float at ")
    assert found[1].startswith("the model: aten.native_dropout.default at ")
    assert all("test_replace.py:" in line for line in found)
    assert torch.equal(torch.get_rng_state(), state) and functions() == before
    assert not any(module.training for module in model.modules())
    assert [dict(m._forward_pre_hooks) | dict(m._forward_hooks) for m in model.modules()] == hooks


def test_unreached_finds_modules_that_were_not_replaced():
    class Mine(nn.Dropout):
        def forward(self, x):
            return imported_by_name(x, self.p)

    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(Mine()))
    [line] = ours.unreached(model, torch.rand(2, 4))
    assert line.startswith("1.0: aten.")


def test_unreached_cleans_up_after_exceptions():
    model = nn.Linear(3, 3).eval()
    before = functions()
    with pytest.raises(RuntimeError):
        ours.unreached(model, torch.rand(2, 4))
    assert functions() == before and not model.training and not model._forward_hooks


# Models of other projects.


def bert(attention):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=32, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2,
        attn_implementation=attention,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config), (torch.randint(50, (3, 20)),)


def gpt2(attention):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=50, n_embd=32, n_layer=2, n_head=2, n_positions=32, resid_pdrop=0.2, embd_pdrop=0.2, attn_pdrop=0.2,
        attn_implementation=attention,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config), (torch.randint(50, (3, 20)),)


def vit(fused):
    timm = pytest.importorskip("timm")
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=32, depth=2, num_heads=2, num_classes=5, drop_rate=0.2, pos_drop_rate=0.2,
        proj_drop_rate=0.2, attn_drop_rate=0.2, drop_path_rate=0.2,
    )  # fmt: skip
    for block in model.blocks:
        block.attn.fused_attn = fused
    return model, (torch.randn(3, 3, 16, 16),)


def swin(_):
    timm = pytest.importorskip("timm")
    model = timm.models.swin_transformer.SwinTransformer(
        img_size=32, patch_size=4, embed_dim=16, depths=(2, 2), num_heads=(2, 2), window_size=4, num_classes=5,
        drop_rate=0.2, proj_drop_rate=0.2, attn_drop_rate=0.2, drop_path_rate=0.2,
    )  # fmt: skip
    return model, (torch.randn(3, 3, 32, 32),)


def lora(attention):
    peft = pytest.importorskip("peft")
    model, args = gpt2(attention)
    config = peft.LoraConfig(r=4, lora_dropout=0.3, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
    model = peft.get_peft_model(model, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    return model, args


def train(model, args):
    torch.manual_seed(7)
    losses = []
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    for _ in range(2):
        output = model(*args)
        loss = (output if isinstance(output, torch.Tensor) else output.logits).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (bert, "eager"),
        (bert, "sdpa"),
        (gpt2, "eager"),
        (gpt2, "sdpa"),
        (lora, "sdpa"),
        (vit, True),
        (vit, False),
        (swin, None),
    ],
)
def test_models(make, option):
    torch.manual_seed(0)
    model, args = make(option)
    expected = train(copy.deepcopy(model).train(), args)
    replaced = ours.replace(copy.deepcopy(model), rng="torch").train()
    with ours.patch(rng="torch"):
        assert train(copy.deepcopy(replaced), args) == expected
    ours.replace(replaced)
    left = ours.unreached(replaced, *args)
    # timm's own stochastic depth is not dropout of PyTorch's.
    assert all("drop_path" in line or "bernoulli" in line for line in left), left
    assert bool(left) == (make in (vit, swin))
    with ours.patch():
        count = mock.Mock(side_effect=_op.apply)
        with mock.patch.object(_op, "apply", count):
            one = train(copy.deepcopy(replaced), args)
        assert count.call_count >= 8
        assert train(copy.deepcopy(replaced), args) == one != expected
    a, b = model.eval()(*args), replaced.eval()(*args)
    assert torch.equal(*(y if isinstance(y, torch.Tensor) else y.logits for y in (a, b)))
    assert replaced.state_dict().keys() == model.state_dict().keys()
