"""Many small networks trained at once, each from parameters of its own."""

from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks.tasks import Task, classification
from benchmarks.workload import Contestants, Workload

NETWORK = "Dense(64) >> ReLU() >> Dense(10) >> Softmax()"


def population(networks: int, steps: int = 100) -> Workload:
    """A step of all of them, on the same batches."""
    task = classification(NETWORK, (64,), 32, steps)

    def contestants() -> Contestants:
        states, epoch = _ours(task, networks)
        start = [{name: np.array(array) for name, array in p.items()} for p in states.parameters if p]
        return {
            "Chainrule": epoch,
            "PyTorch": _torch(task, start),
            "torch.compile": _torch(task, start, compiled=True),
            "Flax": _flax(task, start),
        }

    return Workload(contestants, steps, flops=networks * task.flops)


def _ours(task: Task, networks: int) -> tuple:
    """`vmap` over the states of the training step, in a compiled loop over an epoch's batches."""
    import jax
    import jax.numpy as jnp

    from chainrule.training.step import first, step

    problem, x, E = task.problem, jnp.asarray(task.x), jnp.asarray(task.y)
    states = jax.vmap(lambda key: first(problem, key, task.shape))(jax.random.split(jax.random.key(0), networks))

    @jax.jit
    def epoch(states, order):
        def body(states, rows):
            own = lambda state: step(problem, state, x[rows], E[rows], jnp.ones(len(rows)))  # noqa: E731
            states, records = jax.vmap(own)(states)
            return states, records[:, 0].mean() / task.batch

        states, costs = jax.lax.scan(body, states, order.reshape(-1, task.batch))
        return states, costs.mean()

    random, numbers, now = np.random.default_rng(0), count(), states

    def work() -> float:
        nonlocal now
        now, cost = epoch(now, random.permutation(len(x)) if next(numbers) else np.arange(len(x)))
        return float(cost)

    return states, work


def _torch(task: Task, start: list[dict[str, np.ndarray]], compiled: bool = False) -> Callable[[], float]:
    """As PyTorch's tutorial on ensembles: `functional_call` under `vmap`, and the parameters stacked."""
    from benchmarks.peers.pytorch import DEVICE, compile_afresh, nn, torch

    sizes = [(task.shape[0], 64), (64, 10)]
    module = nn.Sequential(nn.Linear(*sizes[0]), nn.ReLU(), nn.Linear(*sizes[1])).to(DEVICE)
    parameters = {}
    for number, p in zip((0, 2), start, strict=True):
        own = {"weight": p["kernel"].transpose(0, 2, 1).copy(), "bias": p["bias"].copy()}
        parameters |= {
            f"{number}.{name}": torch.tensor(w, device=DEVICE, requires_grad=True) for name, w in own.items()
        }
    rule = torch.optim.Adam(parameters.values(), 0.001, fused=True)
    x, y = torch.from_numpy(task.x).to(DEVICE), torch.from_numpy(task.y.astype(np.int64)).to(DEVICE)

    def cost_of(parameters, x, y):
        outputs = torch.vmap(lambda p: torch.func.functional_call(module, p, (x,)))(parameters)
        return nn.functional.cross_entropy(outputs.flatten(0, 1), y.repeat(len(outputs)))

    cost_of = compile_afresh(cost_of) if compiled else cost_of
    numbers = count()
    networks = len(start[0]["bias"])

    def epoch() -> float:
        total = torch.zeros((), device=DEVICE)
        order = (torch.randperm if next(numbers) else torch.arange)(len(x), device=DEVICE)
        for rows in order.split(task.batch):
            rule.zero_grad()
            cost = cost_of(parameters, x[rows], y[rows])
            (networks * cost).backward()  # each network's own mean
            rule.step()
            total += cost.detach()
        return float(total) * task.batch / len(x)

    return epoch


def _flax(task: Task, start: list[dict[str, np.ndarray]]) -> Callable[[], float]:
    """`nnx.vmap` over modules and their optimizers, in a jitted step."""
    import jax
    import jax.numpy as jnp
    import optax

    from benchmarks.peers.flax_nnx import nnx

    networks = len(start[0]["bias"])

    @nnx.vmap(in_axes=0, out_axes=0)
    def make(key):
        rngs = nnx.Rngs(params=key)
        return nnx.Sequential(nnx.Linear(task.shape[0], 64, rngs=rngs), jax.nn.relu, nnx.Linear(64, 10, rngs=rngs))

    model = make(jax.random.split(jax.random.key(0), networks))
    for linear, p in zip((model.layers[0], model.layers[2]), start, strict=True):
        linear.kernel[...], linear.bias[...] = jnp.asarray(p["kernel"]), jnp.asarray(p["bias"])
    optimizer = nnx.Optimizer(model, optax.adam(0.001), wrt=nnx.Param)  # elementwise, so that it needs no vmap

    def step(model, optimizer, x, y):
        def cost_of(model):
            outputs = nnx.vmap(lambda model, x: model(x), in_axes=(0, None))(model, x)
            labels = jnp.broadcast_to(y, outputs.shape[:2])
            return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean(axis=1).sum()

        cost, gradient = nnx.value_and_grad(cost_of)(model)
        optimizer.update(model, gradient)
        return cost / networks

    step = nnx.cached_partial(nnx.jit(step), model, optimizer)
    random, numbers = np.random.default_rng(0), count()

    def epoch() -> float:
        order = random.permutation(len(task.x)) if next(numbers) else np.arange(len(task.x))
        batches = order.reshape(-1, task.batch)
        return float(sum(step(task.x[rows], task.y[rows]) for rows in batches)) / len(batches)

    return epoch
