"""The Train page: submit training runs, watch them and control them."""
