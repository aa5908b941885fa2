"""What several lessons share: figures, explorers, exercise checks."""
