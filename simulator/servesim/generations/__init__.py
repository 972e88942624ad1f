"""JSON to commands and the world to JSON, one module for each generation of serving; pure."""
