"""Camera drivers in a process of their own: what hangs or crashes there is ended and begun anew."""
