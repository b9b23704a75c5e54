"""Reading and writing: one format or protocol a file, behind one front door (`isocenter.io.door`)."""
