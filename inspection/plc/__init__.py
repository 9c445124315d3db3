"""The handshake with the line's PLC over Modbus: what is told, what is taken, and what silence means."""
