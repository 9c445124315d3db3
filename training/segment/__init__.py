"""Where on the part the defect lies: pixels learned from masks and outlines, the part judged from the map."""
