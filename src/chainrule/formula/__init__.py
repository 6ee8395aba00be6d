"""What a formula is, what a layer is told, and how layers compose."""
