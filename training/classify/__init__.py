"""What telling good and defect types apart takes: the head's start, what is learned a step, the temperature."""
