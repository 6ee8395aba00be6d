"""ONNX: networks as graphs of operators, which run where Python does not."""
