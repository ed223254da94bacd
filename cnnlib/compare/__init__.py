"""What numbers of runs mean: intervals and, over several runs, comparisons."""
