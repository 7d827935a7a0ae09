"""What stands between the network and the pages: cookies, headers, forgery checks, throttling."""
