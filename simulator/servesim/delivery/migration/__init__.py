"""The way from the retired generations to Model Serving: what is there, a plan, code, and calls."""
