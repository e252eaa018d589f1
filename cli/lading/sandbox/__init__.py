"""Stand-ins for the two APIs: real HTTP on loopback, for the demo and for tests."""
