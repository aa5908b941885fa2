"""What only lesson 01 needs."""
