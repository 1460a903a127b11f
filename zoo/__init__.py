"""Recipes: settings that are known to train an agent well."""

if not __package__ or "." not in __package__:
    raise ImportError("this folder is the package ludus.zoo: install Ludus (pip install .) and import ludus.zoo")
