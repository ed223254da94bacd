"""The server: routes, lifespan, headers and navigation."""
