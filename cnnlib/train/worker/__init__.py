"""The worker process, which claims runs and jobs from the store and executes them."""
