"""Flow files read into the model, with every mistake found on the way."""
