"""Analytics rules of Microsoft Sentinel."""
