"""Where the rooms meet: reports → raw tables → models → entities → Port, one way."""
