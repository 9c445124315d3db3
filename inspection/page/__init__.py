"""The operators' page: an own process, a client of the API, so that no browser can ever slow the line."""
