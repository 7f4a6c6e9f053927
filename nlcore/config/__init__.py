"""What to run: settings, recipes and presets, and the experiment that they make."""
