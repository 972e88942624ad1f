"""The rim: sockets, authentication, routes, and errors as JSON."""
