"""Doing one run: starting or going on, what is written when, the plan, the trained model, the terminal."""
