"""The Train page: ask for runs, watch them and control them."""
