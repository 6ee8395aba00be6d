"""Formulas for people: their `textbook` as SymPy, and what follows from it: text, LaTeX, MathML, derivatives, pictures.

Mathematics is written once, on the formula; nothing in here knows a formula by name.
"""
