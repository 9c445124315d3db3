"""Ways in which people write labels down, a file each; `datasets.readers.table` has a row for every one."""
