#!/bin/sh
# First names by their letters (python examples/data.py makes names.csv); rare classes count as much as frequent ones.
chainrule train names.csv --target sex --characters name --balanced --metric 'Recall()' --network 'Embedding(60, 32, padding_id=0) >> Bidirectional(GRU(64, reset_after=True)) >> Dropout(0.3) >> Dense(2) >> Softmax()' --optimizer 'Adam(0.002)' --epochs 40 --early-stopping 8 "$@"
