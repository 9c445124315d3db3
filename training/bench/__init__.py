"""`lineward bench training`: what training reaches on the development photographs, beside what others published."""
