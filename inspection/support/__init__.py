"""What a station gives to whoever helps with it: its logs, settings, findings and last records, without its secrets."""
