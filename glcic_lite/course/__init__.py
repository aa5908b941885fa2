"""What only the lessons need. The method never imports this."""
