"""Lots: what is inspected for one order, with its counters and its response, by ISA-95's job control."""
