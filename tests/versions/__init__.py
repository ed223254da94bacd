"""What each version of the lab wrote, kept so that later ones are tried on it."""
