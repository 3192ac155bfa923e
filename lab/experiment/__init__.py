"""Many runs of one scenario, and what follows from them: replications, warm-up, paired differences, designs."""
