"""Operations: one file, one operation, in the stages that a study passes through."""
