#!/bin/sh
# BasicMotions (pip install --no-deps aeon) by long short-term memory.
chainrule train BasicMotions --network 'LSTM(32, forget_bias=1.0) >> Dense(4) >> Softmax()' --optimizer 'ClipNorm(1.0) >> Adam(0.005)' --epochs 100 --batch-size 8 "$@"
