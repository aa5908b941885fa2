"""GLCIC lite: globally and locally consistent image completion (Iizuka et al., 2017), small enough to read in one sitting."""
