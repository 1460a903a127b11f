"""The recipes, one JSON file a game."""
