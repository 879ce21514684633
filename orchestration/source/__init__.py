"""What an HTTP API answers for one date: the declaration, the requests, the pages, the paging."""
