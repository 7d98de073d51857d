"""What a worker process does: one backend, one question at a time."""
