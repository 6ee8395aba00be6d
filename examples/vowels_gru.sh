#!/bin/sh
# JapaneseVowels (pip install --no-deps aeon): speakers by utterances of unequal length.
chainrule train JapaneseVowels --network 'Bidirectional(GRU(64, reset_after=True)) >> Dropout(0.3) >> Dense(9) >> Softmax()' --optimizer 'Adam(0.003)' --epochs 100 --batch-size 16 "$@"
