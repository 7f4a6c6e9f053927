"""Finding components: the hooks, the plugins that implement them, and their components by name."""
