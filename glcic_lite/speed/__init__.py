"""The same pixels, sooner: what lesson 07 is about."""
