"""Times the dropout of PyTorch or JAX on request; src/peers/python.rs asks.

    python peers.py pytorch|jax THREADS

The first line out is `ready VERSION`, or why it cannot be used. Then, for each line `OP DTYPE ELEMENTS P CALLS` in, the
seconds that this many calls took together, or `error` and what went wrong.
"""

import os
import sys
import time

DTYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16"}


def pytorch(threads):
    import torch
    from torch.nn.functional import dropout

    torch.set_num_threads(threads)

    def prepare(op, dtype, elements, p):
        if op == "gpt-step":
            return gpt_step(elements, p)
        dtype = getattr(torch, DTYPES[dtype])
        x = torch.rand(elements, dtype=dtype, requires_grad=op == "forward+backward")
        second = torch.rand(elements, dtype=dtype)

        def forward_backward():
            y = dropout(x, p, True)
            return y, torch.autograd.grad(y, x, second)

        return {
            "forward": lambda: dropout(x, p, True),
            "forward+backward": forward_backward,
            "residual+dropout": lambda: second + dropout(x, p, True),
            "gaussian-noise": lambda: x + torch.randn_like(x) * p,
        }[op]

    return torch.__version__, prepare


def gpt_step(tokens, p, block=64, vocabulary=65, layers=4, heads=4, channels=128):
    """A training step of the model in crates/nn-dropout-models/src/gpt.rs, on this many tokens in blocks."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = (nn.LayerNorm(channels, bias=False) for _ in range(2))
            self.qkv = nn.Linear(channels, 3 * channels, bias=False)
            self.project = nn.Linear(channels, channels, bias=False)
            self.expand = nn.Linear(channels, 4 * channels, bias=False)
            self.contract = nn.Linear(4 * channels, channels, bias=False)

        def forward(self, x):
            q, k, v = (
                part.unflatten(2, (heads, -1)).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=2)
            )
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=p, is_causal=True)
            x = x + F.dropout(self.project(y.transpose(1, 2).flatten(2)), p)
            return x + F.dropout(self.contract(F.gelu(self.expand(self.norm2(x)))), p)

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocabulary, channels), nn.Embedding(block, channels)
            self.blocks = nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = nn.LayerNorm(channels, bias=False)

        def forward(self, tokens):
            x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
            return self.norm(self.blocks(F.dropout(x, p))) @ self.tokens.weight.T

    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    batch = (torch.arange(tokens) ** 2 % vocabulary).reshape(-1, block)

    def step():
        loss = F.cross_entropy(model(batch).flatten(0, 1), batch.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def jax(threads):
    # Both have to be set before JAX is imported: the size of its pools, and whether one operation may use several.
    os.environ["NPROC"] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    import jax
    import jax.numpy as jnp

    # Every call is waited for here, and handing it to another thread first would only make it slower.
    jax.config.update("jax_cpu_enable_async_dispatch", False)

    def prepare(op, dtype, elements, p):
        # Only where it is needed: it would make the random numbers of all other types f64 too.
        jax.config.update("jax_enable_x64", dtype == "f64")
        x = jax.random.uniform(jax.random.key(1), elements, DTYPES[dtype])
        second = jax.random.uniform(jax.random.key(2), elements, DTYPES[dtype])

        def dropout(key, x):
            keep = jax.random.bernoulli(key, 1 - p, x.shape)
            return jnp.where(keep, x / (1 - p), jnp.zeros_like(x))

        def forward_backward(key, x, second):
            y, backward = jax.vjp(lambda x: dropout(key, x), x)
            return y, backward(second)

        function = {
            "forward": lambda key, x, second: dropout(key, x),
            "forward+backward": forward_backward,
            "residual+dropout": lambda key, x, second: second + dropout(key, x),
            "gaussian-noise": lambda key, x, second: x + p * jax.random.normal(key, x.shape, x.dtype),
        }[op]

        # Every call draws anew, as in a training step.
        @jax.jit
        def step(key, x, second):
            key, own = jax.random.split(key)
            return key, function(own, x, second)

        key = jax.random.key(42)

        def call():
            nonlocal key
            key, result = step(key, x, second)
            return jax.block_until_ready(result)

        return call

    return jax.__version__, prepare


def main():
    peer, threads = sys.argv[1:]
    try:
        version, prepare = {"pytorch": pytorch, "jax": jax}[peer](int(threads))
    except ImportError as error:
        print(str(error).splitlines()[0], flush=True)
        return
    print("ready", version, flush=True)
    case, call = None, None
    for line in sys.stdin:
        op, dtype, elements, p, calls = line.split()
        try:
            if case != (op, dtype, elements, p):
                call = None  # frees its tensors first
                call = prepare(op, dtype, int(elements), float(p))
                case = op, dtype, elements, p
            start = time.perf_counter()
            for _ in range(int(calls)):
                call()
            print(time.perf_counter() - start, flush=True)
        except Exception as error:
            print("error", " ".join(str(error).split()), flush=True)


main()
