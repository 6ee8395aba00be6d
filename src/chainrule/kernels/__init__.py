"""The same results as a plain definition beside them, faster: native kernels, and gradients derived by hand."""
