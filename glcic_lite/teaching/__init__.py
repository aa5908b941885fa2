"""What only the lessons need: figures, interactive explorers, exercise checks. The method never imports this."""
