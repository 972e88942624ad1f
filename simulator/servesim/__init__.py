"""servesim: Databricks Model Serving, simulated on your own machine."""

__version__ = "0.1.0"
