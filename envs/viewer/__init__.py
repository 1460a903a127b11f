"""The window of `ludus play`, `ludus watch` and `render_mode="human"`."""
