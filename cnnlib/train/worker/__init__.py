"""The worker process: it takes runs and jobs from the store and carries them out."""
