#!/bin/sh
# BasicMotions (pip install --no-deps aeon) by long short-term memory, on every four steps' largest values.
chainrule train BasicMotions --network 'MaxPool1D(4) >> LSTM(32) >> Dense(4) >> Softmax()' --optimizer 'Adam(0.003)' --epochs 60 --batch-size 8 "$@"
