"""The ONNX forms of layers, a kinship a room; whoever imports this knows all of them."""

from chainrule.interchange.onnx.layers import attention as attention
from chainrule.interchange.onnx.layers import bags as bags
from chainrule.interchange.onnx.layers import compositions as compositions
from chainrule.interchange.onnx.layers import dense as dense
from chainrule.interchange.onnx.layers import normalization as normalization
from chainrule.interchange.onnx.layers import pooling as pooling
from chainrule.interchange.onnx.layers import recurrent as recurrent
from chainrule.interchange.onnx.layers import reparametrized as reparametrized
from chainrule.interchange.onnx.layers import windows as windows
