"""Scheduled alerts of Splunk, with the keys of Enterprise Security; and an app folder around them."""
