#!/bin/sh
# The tone of movie snippets (python examples/data.py makes snippets.csv) by words that attend to each other.
chainrule train snippets.csv --target tone --words snippet --network 'Embedding(20000, 128, padding_id=0) >> Dropout(0.7) >> Identity() + (SelfAttention(2, rotary=True, key_size=8, value_size=16, dropout=0.2) >> Dropout(0.7)) >> GlobalAveragePool1D() >> Dropout(0.3) >> Dense(2) >> Softmax()' --epochs 30 --early-stopping 4 "$@"
