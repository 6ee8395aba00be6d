"""What people look at: results of training, formulas, and optimizers in a race, as pictures."""
