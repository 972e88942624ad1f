"""The OpenAPI contracts: one reader for the server, the suite and the commands."""
