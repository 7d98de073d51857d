"""Speed, compile time and memory of the layers beside the built-in ones, on every backend."""
