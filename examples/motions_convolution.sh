#!/bin/sh
# BasicMotions (pip install --no-deps aeon): six sensors of a watch, four motions.
chainrule train BasicMotions --network 'Conv1D(32, 5, padding="same") >> ReLU() >> Conv1D(32, 5, padding="same") >> ReLU() >> GlobalAveragePool1D() >> Dense(4) >> Softmax()' --epochs 100 --batch-size 8 "$@"
