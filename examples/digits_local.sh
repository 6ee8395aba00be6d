#!/bin/sh
# Digits, a locally connected layer.
chainrule train digits --network 'LocallyConnected2D(16, 3) >> ReLU() >> Flatten() >> Dropout(0.5) >> Dense(10) >> Softmax()' --epochs 100 "$@"
