"""Feeding a training: cases prepared once into memory-mapped arrays, patches cut from them, augmented on the fly."""
