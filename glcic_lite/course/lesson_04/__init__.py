"""What only lesson 04 needs."""
