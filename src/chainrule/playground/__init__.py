"""The playground: a local page on which networks of formulas learn. It asks and shows; what runs is `Training`."""
