"""The rows of the table of faults: one file for each thing that they concern."""
