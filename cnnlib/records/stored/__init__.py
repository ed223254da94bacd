"""Where the files of the run store lie: the folder of runs, or an object store."""
