"""Networks, tensor to tensor; one network, one file."""
