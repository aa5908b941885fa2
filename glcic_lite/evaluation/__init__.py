"""How good a completion is, and how sure one can be of it."""
