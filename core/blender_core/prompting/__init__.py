"""What chat models are asked, whichever framework asks them: prompts that hold hostile texts."""
