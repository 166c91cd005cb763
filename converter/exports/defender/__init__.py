"""Custom detections of Microsoft Defender XDR."""
