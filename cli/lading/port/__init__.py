"""Port: its API, what it holds already, and getting there what it does not."""
