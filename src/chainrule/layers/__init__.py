"""Layers: each a shape rule, a table of parameters and a formula."""

from chainrule.formula.layer import Add, Chain, Concatenate, Layer, Multiply
from chainrule.formula.repeat import Repeat
from chainrule.layers import fusion as fusion  # which tells chains what is computed together
from chainrule.layers.attention import AttentionPool, LearnedPositions, SelfAttention, SinusoidalPositions
from chainrule.layers.augmentation import Flip, Shift
from chainrule.layers.bags import TfIdf
from chainrule.layers.convolution import Conv1D, Conv2D, Conv3D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.embedding import Embedding
from chainrule.layers.entities import EntityEmbedding, Periodic
from chainrule.layers.frozen import Frozen
from chainrule.layers.learned import RobustScale, Standardize
from chainrule.layers.local import LocallyConnected1D, LocallyConnected2D
from chainrule.layers.lstm import LSTM, LayerNormLSTM, PeepholeLSTM
from chainrule.layers.noise import (
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout,
    StochasticDepth,
)
from chainrule.layers.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from chainrule.layers.padding import Crop1D, Crop2D, ZeroPad1D, ZeroPad2D
from chainrule.layers.pooling import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Stride1D,
    Stride2D,
)
from chainrule.layers.recurrent import GRU, RNN, Bidirectional
from chainrule.layers.reparametrized import SpectralNorm, WeightNorm
from chainrule.layers.scaling import Affine
from chainrule.layers.shape import Flatten, Permute, Reshape
from chainrule.layers.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.layers.upsampling import Upsample1D, Upsample2D

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Add",
    "Affine",
    "AlphaDropout",
    "AttentionPool",
    "AveragePool1D",
    "AveragePool2D",
    "AveragePool3D",
    "BatchNorm",
    "Bidirectional",
    "Chain",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "Crop1D",
    "Crop2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Embedding",
    "EntityEmbedding",
    "Flatten",
    "Flip",
    "Frozen",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePool1D",
    "GlobalAveragePool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LayerNormLSTM",
    "LearnedPositions",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Multiply",
    "PeepholeLSTM",
    "Periodic",
    "Permute",
    "RMSNorm",
    "Repeat",
    "Reshape",
    "RobustScale",
    "SelfAttention",
    "Shift",
    "SinusoidalPositions",
    "SpatialDropout",
    "SpectralNorm",
    "Standardize",
    "StochasticDepth",
    "Stride1D",
    "Stride2D",
    "TfIdf",
    "Upsample1D",
    "Upsample2D",
    "WeightNorm",
    "ZeroPad1D",
    "ZeroPad2D",
]
