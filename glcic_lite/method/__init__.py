"""The method, as the paper describes it: read this first."""
