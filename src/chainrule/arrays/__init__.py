"""Numbers and batches: their types, keys, memory and compiled programs."""
