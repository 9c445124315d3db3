"""What can be learned: one file a task, all of them alike to the run."""
