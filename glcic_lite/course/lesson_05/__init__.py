"""What only lesson 05 needs."""
