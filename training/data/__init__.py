"""Public data and recordings made into what is trained on."""
