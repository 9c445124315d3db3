"""Recipes: what belongs to a product and not to the station, in versions that never change."""
