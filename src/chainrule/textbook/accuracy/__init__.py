"""How exact formulas are: their float32 results against their textbook form in high precision."""
