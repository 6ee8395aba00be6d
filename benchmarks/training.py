"""What a training step costs: the same network, data, optimizer and batch size for each library, two threads each."""

import warnings
from itertools import pairwise

import numpy as np

from benchmarks.measure import Contestants

STEPS = 200
Task = tuple[Contestants, dict[str, int]]


def mlp(batch: int) -> Task:
    """MLP 784-256-128-10 with Adam: steps over an epoch of random rows, shuffle included."""
    rows = STEPS * batch
    x, y = _data(rows, 784)
    return {
        "chainrule": chainrule_epoch(x, y, (256, 128), "Adam(0.001)", batch),
        "pytorch (eager, fused Adam)": torch_epoch(x, y, (256, 128), "fused Adam", batch),
        "pytorch (eager, Adam)": torch_epoch(x, y, (256, 128), "Adam", batch),
    }, {"chainrule": STEPS, "pytorch (eager, fused Adam)": STEPS, "pytorch (eager, Adam)": STEPS}


def stochastic() -> Task:
    """MLP 64-64-10 by stochastic gradient descent: one example a step."""
    x, y = _data(1347, 64)
    return {
        "chainrule": chainrule_epoch(x, y, (64,), "GradientDescent(0.01)", 1),
        "pytorch (eager, SGD)": torch_epoch(x, y, (64,), "SGD", 1),
        "scikit-learn": sklearn_epoch(x, y, (64,)),
    }, {"chainrule": 1347, "pytorch (eager, SGD)": 1347, "scikit-learn": 1347}


def chainrule_epoch(x, y, hidden, optimizer, batch):
    """An epoch of Chainrule's training loop for hidden layers of these sizes."""
    network = "".join(f"Dense({units}) >> ReLU() >> " for units in hidden) + "Dense(10) >> Softmax()"
    return chainrule_network(x, y, network, optimizer, batch)


def chainrule_network(x, y, network, optimizer, batch):
    """An epoch of Chainrule's training loop, the one that `fit` runs."""
    from chainrule.costs import CategoricalCrossEntropy
    from chainrule.layer import Chain
    from chainrule.metrics import Accuracy
    from chainrule.notation import parse
    from chainrule.training.batches import on_device
    from chainrule.training.loop import Loop
    from chainrule.training.step import Problem

    problem = Problem(parse(network, Chain), CategoricalCrossEntropy(), parse(optimizer), None, (Accuracy(),))
    loop = Loop(problem, on_device(x, y, None), len(x), batch, seed=0)
    loop.chunk = loop.steps
    epochs = iter(range(1, 10**9))
    return lambda: loop.epoch(next(epochs), lambda step: None)


def torch_epoch(x, y, hidden, optimizer, batch):
    """An epoch of PyTorch's eager training as its tutorials write it, the batches cut from shuffled tensors."""
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    sizes = (x.shape[1], *hidden)
    layers = [m for a, b in pairwise(sizes) for m in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))
    rule = {
        "fused Adam": lambda p: torch.optim.Adam(p, lr=0.001, fused=True),
        "Adam": lambda p: torch.optim.Adam(p, lr=0.001),
        "SGD": lambda p: torch.optim.SGD(p, lr=0.01),
    }[optimizer](network.parameters())
    return torch_loop(network, rule, torch.from_numpy(x), torch.from_numpy(y.astype(np.int64)), batch)


def torch_loop(network, rule, inputs, labels, batch):
    """An epoch of PyTorch's steps, for a network and its optimizer."""
    import torch

    criterion = torch.nn.CrossEntropyLoss()

    def epoch():
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(batch):
            rule.zero_grad()
            cost = criterion(network(inputs[rows]), labels[rows])
            cost.backward()
            rule.step()
            total += cost.detach()
        return float(total)

    return epoch


def sklearn_epoch(x, y, hidden):
    """An epoch of scikit-learn's MLPClassifier by stochastic gradient descent, one example a step."""
    from sklearn.neural_network import MLPClassifier

    def epoch():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            MLPClassifier(hidden, solver="sgd", momentum=0.0, alpha=0.0, batch_size=1, max_iter=1).fit(x, y)

    return epoch


def _data(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=(rows, columns)).astype(np.float32), random.integers(0, 10, rows).astype(np.int32)
