#!/bin/sh
# ItalyPowerDemand (pip install --no-deps aeon): a day's demand, winter or summer.
chainrule train ItalyPowerDemand --network 'RNN(32) >> Dense(2) >> Softmax()' --optimizer 'ClipNorm(1.0) >> Adam(0.003)' --epochs 150 --batch-size 8 "$@"
