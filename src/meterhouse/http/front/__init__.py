"""The bounded front: limits on connections and on requests, kept before a route sees a request."""
