"""Comparisons: 3 activations × 3 optimizers × 10 seeds of an MLP on digits, each seed with its own division of them."""

from collections.abc import Callable

from benchmarks.processes import output
from benchmarks.workload import Workload

SETTING = """
SEEDS, EPOCHS, BATCH = 10, 30, 32

def parts(seed):
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = (x - x.mean()) / x.std()
    rest, test, rest_y, test_y = train_test_split(x, y, test_size=0.2, stratify=y, random_state=seed)
    train, _, train_y, _ = train_test_split(rest, rest_y, test_size=0.125, stratify=rest_y, random_state=seed)
    return train, test, train_y, test_y
"""

SCRIPTS = {
    "Chainrule": """
from chainrule import compare

def work():
    compared = compare(
        "digits", network="Flatten() >> Dense(64) >> ReLU() >> Dense(10) >> Softmax()",
        activation=["ReLU()", "Tanh()", "Sigmoid()"],
        optimizer=["Adam(0.001)", "Nesterov(0.01)", "GradientDescent(0.01)"],
        seeds=SEEDS, epochs=EPOCHS, batch_size=BATCH, progress=False, jobs=JOBS,
    )
    return sum(trial.measures["accuracy"] for trial in compared.trials) / len(compared.trials)
""",
    "PyTorch": """
import torch

RULES = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001, fused=True),
    "nesterov": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True, fused=True),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.01, fused=True),
}

def work():
    found = []
    for activation in (torch.nn.ReLU, torch.nn.Tanh, torch.nn.Sigmoid):
        for rule in RULES.values():
            for seed in range(SEEDS):
                torch.manual_seed(seed)
                train, test, train_y, test_y = parts(seed)
                inputs, labels = torch.from_numpy(train).float(), torch.from_numpy(train_y)
                network = torch.nn.Sequential(torch.nn.Linear(64, 64), activation(), torch.nn.Linear(64, 10))
                step = rule(network.parameters())
                for _ in range(EPOCHS):
                    for rows in torch.randperm(len(inputs)).split(BATCH):
                        step.zero_grad()
                        torch.nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
                        step.step()
                right = network(torch.from_numpy(test).float()).argmax(1) == torch.from_numpy(test_y)
                found.append(float(right.float().mean()))
    return sum(found) / len(found)
""",
    "scikit-learn": """
import warnings
from sklearn.neural_network import MLPClassifier

SOLVERS = {
    "adam": {"solver": "adam"},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01, "momentum": 0.0, "nesterovs_momentum": False},
}

def work():
    warnings.simplefilter("ignore")
    found = []
    for activation in ("relu", "tanh", "logistic"):
        for solver in SOLVERS.values():
            for seed in range(SEEDS):
                train, test, train_y, test_y = parts(seed)
                network = MLPClassifier(
                    (64,), activation, batch_size=BATCH, max_iter=EPOCHS, alpha=0.0, tol=0.0, n_iter_no_change=EPOCHS,
                    random_state=seed, **solver,
                )
                found.append(network.fit(train, train_y).score(test, test_y))
    return sum(found) / len(found)
""",
}


def comparison() -> Workload:
    """All of it, in a process that has done it before."""
    return Workload(lambda: {name: _here(script) for name, script in SCRIPTS.items()})


def afresh() -> Workload:
    """All of it, from the start of Python on: imports and compilations too."""
    return Workload(lambda: {name: _in_a_process(script) for name, script in SCRIPTS.items()})


def _here(script: str) -> Callable[[], float]:
    scope: dict = {"JOBS": "all"}
    exec(SETTING + script, scope)
    return scope["work"]


def _in_a_process(script: str) -> Callable[[], float]:
    text = f'{SETTING}JOBS = "all"\n{script}\nprint(work())\n'
    return lambda: float(output(text).split()[-1])
