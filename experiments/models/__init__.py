"""Models, layers, losses and learning rate schedules, in trax."""
