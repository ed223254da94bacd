"""The viewer process, with the functions that the Lab calls; what one batch of a run changed."""
