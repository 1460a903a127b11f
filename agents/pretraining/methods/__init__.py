"""What an encoder can be trained to do, a file each."""
