"""What every model needs: checkpoints read safely, text as token ids, devices, batches."""
