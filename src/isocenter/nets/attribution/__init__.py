"""Attribution of a network's score to the samples of its input, tensor to tensor; one method, one file."""
