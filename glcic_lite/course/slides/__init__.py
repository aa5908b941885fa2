"""The lessons as decks of slides."""
