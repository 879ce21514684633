"""What an operator needs after the first night: proofs about `main`, and repairs."""
