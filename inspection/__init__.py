"""The inspection service: from the trigger to the reject pulse, its records, its API and its page."""
