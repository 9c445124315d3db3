"""The simulated line: what lies on its belt, and the account that holds its promises against its pulses."""
