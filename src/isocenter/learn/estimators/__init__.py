"""Classical learners: scikit-learn's, and those that it lacks, behind one list of names."""
