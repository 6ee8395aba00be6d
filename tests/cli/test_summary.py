import pytest

NETWORK = """
layer       output   parameters
───────────────────────────────
Dense(64)       64       50,240
ReLU()          64            0
Dense(10)       10          650
Softmax()       10            0
───────────────────────────────
                         50,890

"""


def test_the_example_of_the_help(run):
    said = run('summary "Dense(64) >> ReLU() >> Dense(10) >> Softmax()" --input 784')
    assert said == (0, NETWORK, "")


@pytest.mark.parametrize("shape", ["8,8,1", "8, 8, 1", "(8, 8, 1)", "8x8x1"])
def test_shapes(run, shape):
    said = run(f'summary "Flatten() >> Dense(2)" --input "{shape}"')
    assert said.code == 0
    assert "Flatten()       64            0" in said.out


def test_one_layer_and_no_brackets(run):
    assert "ReLU()        3            0" in run("summary ReLU --input 3").out


def test_a_long_layer_is_told_whole(run, monkeypatch):
    text = "Dense(2, kernel_initializer=Uniform(low=-0.123456789, high=0.123456789), bias_initializer=Constant(0.25))"
    assert text in run(f'summary "{text}" --input 3').out


def test_a_model(run, flowers):
    run('train flowers.csv --network "Dense(2) >> Softmax()" --epochs 1 --regularizer "L2(0.1)" --out run')
    said = run("summary run")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "4 inputs, CategoricalCrossEntropy(), L2(0.1), Adam(learning_rate=0.001)",
        "",
        "layer       output   parameters",
        "───────────────────────────────",
        "Dense(2)         2           10",
        "Softmax()        2            0",
        "───────────────────────────────",
        "                             10",
        "",
    ]
    assert run("summary run/model.safetensors").out == said.out


def test_branches(run):
    said = run(
        'summary "Dense(4) >> (Identity() | Repeat(Identity() + (Dense(4) >> ReLU()), 3)) >> Dense(1)" --input 3'
    )
    assert said.out.splitlines() == [
        "",
        "layer                  output   parameters",
        "──────────────────────────────────────────",
        "Dense(4)                    4           16",
        "Concatenate                 8            0",
        "  | Identity()              4            0",
        "  | Repeat 3 times          4            0",
        "      Add                   4            0",
        "        + Identity()        4            0",
        "        + Dense(4)          4           60",
        "          ReLU()            4            0",
        "Dense(1)                    1            9",
        "──────────────────────────────────────────",
        "                                        85",
        "",
    ]


def test_frozen_layers(run):
    said = run('summary "Frozen(Dense(64) >> ReLU()) >> Dense(10)" --input 20')
    assert said.out.splitlines() == [
        "",
        "layer         output   parameters",
        "─────────────────────────────────",
        "Frozen            64            0",
        "  Dense(64)       64        1,344",
        "  ReLU()          64            0",
        "Dense(10)         10          650",
        "─────────────────────────────────",
        "                            1,994",
        "              frozen        1,344",
        "",
    ]
