"""The ONNX forms of layers, a kinship a room."""
