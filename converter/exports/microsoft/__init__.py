"""What Sentinel's and Defender's import formats share."""
